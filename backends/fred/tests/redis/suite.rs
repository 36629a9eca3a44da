//! What holds for every client.

redis_suite::client!(Fred of larder_fred, FredBackend, holds 1, puts sets together: false);

redis_suite::tests!(Fred);

#[cfg(feature = "unix-sockets")]
redis_suite::socket_tests!(Fred);

#[cfg(feature = "rustls")]
redis_suite::tls_tests!(Fred);
