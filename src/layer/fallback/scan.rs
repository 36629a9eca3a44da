use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt, stream};

use super::{Fallback, one::of_both};
use crate::{backend::CacheBackend, error::Result};

/// The pages that are left of a scan.
enum Pages<A, B> {
    Primary(Pin<Box<A>>, bool),
    Secondary(Pin<Box<B>>),
}

impl<P, S> Fallback<P, S>
where
    P: CacheBackend + 'static,
    S: CacheBackend + 'static,
{
    /// The primary's pages without the marked keys, or, where it does not even answer the first, the secondary's.
    pub(super) fn pages<'a>(&'a self, pattern: &str) -> impl Stream<Item = Result<Vec<String>>> + Send + use<'a, P, S> {
        let inner = Arc::as_ref(&self.inner);
        let pattern = pattern.to_owned();
        let first = Box::pin(inner.primary.scan(&pattern));
        stream::unfold(Some(Pages::Primary(first, true)), move |pages| {
            let pattern = pattern.clone();
            async move {
                match pages? {
                    Pages::Primary(mut pages, is_first) => {
                        let error = match pages.next().await? {
                            Ok(mut page) => {
                                inner.heard(&Ok(()));
                                page.retain(|key| inner.journal.mark(key).is_none());
                                return Some((Ok(page), Some(Pages::Primary(pages, false))));
                            }
                            Err(error) => error,
                        };
                        inner.heard::<()>(&Err(error.clone()));
                        if !is_first || !error.is_unavailable() {
                            return Some((Err(error), None));
                        }
                        let mut pages = Box::pin(inner.secondary.scan(&pattern));
                        let page = inner.own(&mut pages).await?.map_err(|own| of_both(own, error));
                        Some((page, Some(Pages::Secondary(pages))))
                    }
                    Pages::Secondary(mut pages) => {
                        let page = inner.own(&mut pages).await?;
                        Some((page, Some(Pages::Secondary(pages))))
                    }
                }
            }
        })
    }
}

impl<P, S> super::Inner<P, S>
where
    P: CacheBackend + 'static,
    S: CacheBackend + 'static,
{
    /// What is left of the next page of the secondary's: the keys that it may answer for.
    async fn own(
        &self,
        pages: &mut (impl Stream<Item = Result<Vec<String>>> + Send + Unpin),
    ) -> Option<Result<Vec<String>>> {
        let page = pages.next().await?;
        Some(page.map(|mut page| {
            page.retain(|key| self.journal.holds(key));
            page
        }))
    }
}
