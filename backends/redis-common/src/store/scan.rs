//! SCAN, page by page.

use std::collections::VecDeque;

use futures::{Stream, stream};
use larder::{Error, Result};

use super::Wire;
use crate::{command::Reply, error::unexpected};

/// How many keys a page looks at. Not how many it finds: that depends on the pattern.
const PAGE: u32 = 512;

const FIRST_CURSOR: &str = "0";

struct Place<N> {
    pattern: String,
    /// The nodes not yet done, the one under way in front.
    nodes: VecDeque<N>,
    cursor: String,
}

pub(super) fn scan<'a, W: Wire>(
    wire: &'a W,
    pattern: &str,
) -> impl Stream<Item = Result<Vec<String>>> + Send + use<'a, W> {
    let pattern = pattern.to_owned();
    let begin = move || -> Result<Place<W::Node>> {
        Ok(Place {
            pattern,
            nodes: wire.nodes()?.into(),
            cursor: FIRST_CURSOR.to_owned(),
        })
    };
    // The nodes are looked up when the first page is asked for, not when the stream is made.
    stream::try_unfold(Err(begin), move |place: Result<Place<W::Node>, _>| async move {
        let place = match place {
            Ok(place) => place,
            Err(begin) => begin().map_err(|error: Error| error.with_operation("scan"))?,
        };
        let page = wire.shared().driver.enter(page(wire, place)).await;
        page.flatten()
            .map_err(|error| error.with_operation("scan"))
            .map(|page| page.map(|(keys, place)| (keys, Ok(place))))
    })
}

async fn page<W: Wire>(wire: &W, mut place: Place<W::Node>) -> Result<Option<(Vec<String>, Place<W::Node>)>> {
    let Some(node) = place.nodes.front() else {
        return Ok(None);
    };
    let permit = wire.shared().admit(1)?;
    let answer = wire.page(node, &place.cursor, &place.pattern, PAGE, permit).await?;
    let (cursor, keys) = parts(answer).ok_or_else(|| unexpected("SCAN answered no cursor and keys"))?;
    if cursor == FIRST_CURSOR {
        place.nodes.pop_front();
    }
    place.cursor = cursor;
    Ok(Some((keys, place)))
}

/// The cursor and the keys of a page, without those that are not UTF-8: no key of a cache's is like that.
fn parts(answer: Reply) -> Option<(String, Vec<String>)> {
    let text = |reply| match reply {
        Reply::Bytes(bytes) => String::from_utf8(bytes.into()).ok(),
        _ => None,
    };
    let Reply::Array(parts) = answer else {
        return None;
    };
    let [cursor, Reply::Array(keys)] = <[Reply; 2]>::try_from(parts).ok()? else {
        return None;
    };
    Some((text(cursor)?, keys.into_iter().filter_map(text).collect()))
}
