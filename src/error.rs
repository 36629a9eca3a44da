use std::{error::Error as StdError, fmt, sync::Arc};

/// The result of every fallible call in larder.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Arc<dyn StdError + Send + Sync + 'static>;

/// Why an operation failed: a kind to act on, one line to read, and the cause underneath.
///
/// One opaque type serves the core and every backend, so a service matches on [`Error::kind`] and never on a
/// client's own error type. The message says what happened and why, quotes the offending input where that input
/// is a setting (a ttl, a jitter, a pattern), and never holds a password, a key or a value.
///
/// `Error` is one pointer wide and cheap to clone, because one failure can answer many waiting callers.
///
/// # Examples
///
/// A backend of your own builds its errors from the same parts:
///
/// ```
/// use larder::{Error, ErrorKind};
///
/// let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
/// let error = Error::new(ErrorKind::Connection, "the store at port 7000 refused the connection")
///     .with_operation("get")
///     .with_source(refused);
///
/// assert_eq!(error.kind(), ErrorKind::Connection);
/// assert!(error.is_unavailable());
/// assert_eq!(error.to_string(), "get: the store at port 7000 refused the connection");
/// ```
#[derive(Clone)]
pub struct Error {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    operation: Option<&'static str>,
    message: String,
    source: Option<Source>,
}

/// What sort of failure an [`Error`] is, for code that decides what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The backend could not be reached, or the connection broke. Nothing is known to have been stored.
    Connection,
    /// No answer came before the deadline. A write may or may not have been applied.
    Timeout,
    /// The caller was turned away at once because too many operations are already under way.
    Overloaded,
    /// The backend answered, and its answer was an error (out of memory, read only, wrong type, no permission), or was
    /// another each time while a call looked at one key, which then gave up.
    Server,
    /// A value could not be serialized, compressed, or, where the cache raises it, decoded.
    Codec,
    /// The call itself was wrong: a malformed ttl, an over-long key, a setting out of range.
    InvalidInput,
}

impl ErrorKind {
    /// Tells whether the backend was away: [`Connection`](Self::Connection), [`Timeout`](Self::Timeout) or
    /// [`Overloaded`](Self::Overloaded). Fallbacks act on these and on no others.
    #[must_use]
    pub const fn is_unavailable(self) -> bool {
        matches!(self, Self::Connection | Self::Timeout | Self::Overloaded)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Overloaded => "overloaded",
            Self::Server => "server",
            Self::Codec => "codec",
            Self::InvalidInput => "invalid input",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Error {
    /// Makes an error of `kind` whose one-line `message` says what happened and why.
    #[cold]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            inner: Arc::new(Inner {
                kind,
                operation: None,
                message: message.into(),
                source: None,
            }),
        }
    }

    /// Names the operation that failed, such as `"get_many"`. The innermost name wins: a second call changes nothing.
    #[must_use]
    pub fn with_operation(mut self, operation: &'static str) -> Self {
        if self.inner.operation.is_none() {
            Arc::make_mut(&mut self.inner).operation = Some(operation);
        }
        self
    }

    /// Attaches the underlying cause, which [`source`](StdError::source) then returns.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Arc::make_mut(&mut self.inner).source = Some(Arc::from(source.into()));
        self
    }

    /// The same failure of another operation, on whose behalf this one was done.
    pub(crate) fn in_place_of(mut self, operation: &'static str) -> Self {
        Arc::make_mut(&mut self.inner).operation = Some(operation);
        self
    }

    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The operation that failed, where it is known.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        self.inner.operation
    }

    /// The one-line message, without the operation.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// Tells whether the backend was away; see [`ErrorKind::is_unavailable`].
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.inner.kind.is_unavailable()
    }

    #[cold]
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    #[cold]
    pub(crate) fn codec(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Codec, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = self.inner.operation {
            write!(f, "{operation}: ")?;
        }
        f.write_str(&self.inner.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &self.inner.kind);
        if let Some(operation) = self.inner.operation {
            debug.field("operation", &operation);
        }
        debug.field("message", &self.inner.message);
        if let Some(source) = &self.inner.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

// Lets `TryInto<Ttl>` with `Error: Into<larder::Error>` accept a value that already is a `Ttl`.
impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_one_line_with_the_operation_first() {
        let error = Error::new(ErrorKind::Server, "OOM command not allowed").with_operation("set");
        assert_eq!(error.to_string(), "set: OOM command not allowed");
    }

    #[test]
    fn the_innermost_operation_is_kept() {
        let error = Error::invalid("x")
            .with_operation("scan")
            .with_operation("delete_pattern");
        assert_eq!(error.operation(), Some("scan"));
    }

    #[test]
    fn a_clone_keeps_kind_operation_and_source() {
        let error = Error::codec("bad")
            .with_operation("get")
            .with_source(std::io::Error::other("inner"));
        let copy = error.clone();
        assert_eq!(copy.kind(), ErrorKind::Codec);
        assert_eq!(copy.operation(), Some("get"));
        assert_eq!(copy.source().unwrap().to_string(), "inner");
    }

    #[test]
    fn debug_shows_the_parts_and_nothing_else() {
        let error = Error::invalid("ttl \"-5s\" is negative").with_operation("set");
        assert_eq!(
            format!("{error:?}"),
            "Error { kind: InvalidInput, operation: \"set\", message: \"ttl \\\"-5s\\\" is negative\" }"
        );
    }

    #[test]
    fn an_error_is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
