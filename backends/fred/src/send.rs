//! How a command goes over a connection of fred's.

use std::{future::Future, sync::Arc, time::Duration};

use fred::{
    clients::{Client, WithOptions},
    error::{Error as FredError, ErrorKind as FredKind},
    interfaces::ClientLike,
    types::config::Options,
};
use larder::Result;
use larder_redis_common::{Boxes, Context, Permit, Silence, Watched};
use tokio::runtime::Handle;

use crate::{error, link::Link};

impl Link {
    /// A client whose commands have no deadline on them.
    pub(crate) fn reader(&self) -> WithOptions<Client> {
        self.client.read().reader.clone()
    }

    /// A client whose commands have the deadline on them.
    pub(crate) fn bounded(&self) -> WithOptions<Client> {
        self.client().with_options(&self.options)
    }

    /// [`bounded`](Self::bounded) with a deadline of their own.
    pub(crate) fn bounded_by(&self, limit: Duration) -> WithOptions<Client> {
        self.client().with_options(&Options {
            timeout: Some(limit),
            ..self.options.clone()
        })
    }

    pub(crate) async fn ping_by(&self, permit: Permit) -> Result<()> {
        let client = self.bounded();
        self.read(permit, async move { client.ping::<()>(None).await }).await
    }

    /// Waits for a command that reads.
    pub(crate) fn read<T, F>(
        &self,
        permit: Permit,
        command: F,
    ) -> impl Future<Output = Result<T>> + Send + use<'_, T, F>
    where
        F: Future<Output = Result<T, FredError>> + Send + 'static,
        T: Send + 'static,
    {
        let sent = self.see_through(permit, self.shared.deadline, || command);
        async move { self.judge(sent.await, false) }
    }

    /// Converts the error of an answer.
    pub(crate) fn judge<T>(&self, answer: Result<T, FredError>, writes: bool) -> Result<T> {
        self.judge_within(self.shared.deadline, answer, writes)
    }

    /// [`judge`](Self::judge) for an answer that had this long to come.
    pub(crate) fn judge_within<T>(&self, limit: Duration, answer: Result<T, FredError>, writes: bool) -> Result<T> {
        answer.map_err(|failure| {
            let context = Context {
                deadline: limit,
                ..self.context(writes)
            };
            error::convert(&failure, &context)
        })
    }
}

impl Watched for Link {
    type Failure = FredError;

    fn this(&self) -> std::sync::Weak<Self> {
        std::sync::Weak::clone(&self.this)
    }

    fn handle(&self) -> &Handle {
        self.shared.driver.handle()
    }

    fn silence(&self) -> &Silence {
        &self.silence
    }

    fn is_timeout(failure: &FredError) -> bool {
        *failure.kind() == FredKind::Timeout
    }

    fn timeout() -> FredError {
        FredError::new(FredKind::Timeout, "the deadline passed")
    }

    fn boxes(&self) -> &Boxes {
        &self.boxes
    }

    fn replace_connection(&self) {
        Self::replace_connection(self);
    }

    async fn probe(&self) {
        match self.shared.admit(1) {
            // What it answers is in the watch on it.
            Ok(permit) => drop(self.ping_by(permit).await),
            Err(_) => self.silence.forget(),
        }
    }
}

/// The answer to a command, and the connection it came by: only that one knows why there was none.
pub(crate) struct Answer<T> {
    pub(crate) found: Result<T, FredError>,
    pub(crate) by: Option<Arc<Link>>,
}

impl<T> Answer<T> {
    /// One by the connection that was asked.
    pub(crate) fn of(found: Result<T, FredError>) -> Self {
        Self { found, by: None }
    }

    pub(crate) fn none(error: FredError) -> Self {
        Self {
            found: Err(error),
            by: None,
        }
    }

    /// Converts the error, which the connection it came by explains.
    pub(crate) fn judge(self, link: &Link, limit: Duration, writes: bool) -> Result<T> {
        let by = self.by.as_deref().unwrap_or(link);
        by.judge_within(limit, self.found, writes)
    }
}
