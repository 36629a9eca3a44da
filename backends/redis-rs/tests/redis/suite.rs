//! What holds for every client.

redis_suite::client!(RedisRs of larder_redis_rs, RedisRsBackend, holds 0, puts sets together: true);

redis_suite::tests!(RedisRs);

redis_suite::unpolled_tests!(RedisRs);

#[cfg(unix)]
redis_suite::socket_tests!(RedisRs);

#[cfg(feature = "rustls")]
redis_suite::tls_tests!(RedisRs);
