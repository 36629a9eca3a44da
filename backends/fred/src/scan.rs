//! SCAN, page by page.

use std::collections::VecDeque;

use bytes::Bytes;
use fred::{
    clients::{Client, WithOptions},
    interfaces::KeysInterface,
    types::{Value, config::Server},
};
use futures::{Stream, stream};
use larder::{Error, Result};

use crate::{link::Link, read::unexpected};

/// How many keys a page looks at. Not how many it finds: that depends on the pattern.
const PAGE: u32 = 512;

const FIRST_CURSOR: &str = "0";

struct Place {
    pattern: String,
    /// The nodes not yet done, the one under way in front. `None` stands for the only server.
    nodes: VecDeque<Option<Server>>,
    cursor: String,
}

impl Link {
    pub(crate) fn scan(&self, pattern: &str) -> impl Stream<Item = Result<Vec<String>>> + Send + use<'_> {
        let pattern = pattern.to_owned();
        let begin = move || -> Result<Place> {
            Ok(Place {
                pattern,
                nodes: self.nodes()?,
                cursor: FIRST_CURSOR.to_owned(),
            })
        };
        // The nodes are looked up when the first page is asked for, not when the stream is made.
        stream::try_unfold(Err(begin), move |place: Result<Place, _>| async move {
            let place = match place {
                Ok(place) => place,
                Err(begin) => begin().map_err(|error: Error| error.with_operation("scan"))?,
            };
            let page = self.driver.enter(self.page(place)).await;
            page.flatten()
                .map_err(|error| error.with_operation("scan"))
                .map(|page| page.map(|(keys, place)| (keys, Ok(place))))
        })
    }

    /// Every node that holds keys.
    fn nodes(&self) -> Result<VecDeque<Option<Server>>> {
        let Some(cluster) = &self.cluster else {
            return Ok(VecDeque::from([None]));
        };
        Ok(cluster.known(self)?.into_iter().map(Some).collect())
    }

    async fn page(&self, mut place: Place) -> Result<Option<(Vec<String>, Place)>> {
        if place.nodes.is_empty() {
            return Ok(None);
        }
        let permit = self.admit(1)?;
        let (cursor, pattern) = (place.cursor.clone(), place.pattern.clone());
        let page = |client: WithOptions<Client>| async move {
            client.scan_page::<Value, _, _>(cursor, pattern, Some(PAGE), None).await
        };
        let answer = if let (Some(cluster), Some(server)) = (&self.cluster, &place.nodes[0]) {
            let primary = cluster.primary(server).await?;
            let answer = primary.read(permit, page(primary.bounded())).await;
            answer.inspect_err(|_| cluster.refresh(&self.client()))?
        } else {
            self.read(permit, page(self.bounded())).await?
        };
        let (cursor, keys) = parts(answer).ok_or_else(|| unexpected("SCAN answered no cursor and keys"))?;
        if cursor == FIRST_CURSOR {
            place.nodes.pop_front();
        }
        place.cursor = cursor;
        Ok(Some((keys, place)))
    }
}

/// The cursor and the keys of a page, without those that are not UTF-8: no key of a cache's is like that.
fn parts(answer: Value) -> Option<(String, Vec<String>)> {
    let Value::Array(parts) = answer else {
        return None;
    };
    let [cursor, Value::Array(keys)] = <[Value; 2]>::try_from(parts).ok()? else {
        return None;
    };
    let keys = keys
        .into_iter()
        .filter_map(|key| key.convert::<Bytes>().ok())
        .filter_map(|key| std::str::from_utf8(&key).ok().map(str::to_owned))
        .collect();
    Some((cursor.into_string()?, keys))
}
