//! The rights a user needs, exactly.

use std::time::Duration;

use bytes::Bytes;
use larder::{CacheBackend, Condition, Expiry, SetItem, SetOptions};
use larder_fred::{ConnectionManager, RedisConfig};
use testkit::RedisServer;

use crate::support::{block_on, bytes, forever, listed, starts_with};

/// What the documentation of the crate lists.
const RIGHTS: &str = "+get +mget +set +unlink +pexpire +eval +evalsha +scan +ping +select \
                      +strlen +getrange +exists +persist +pttl";

#[test]
fn the_documented_rights_suffice_for_every_call() {
    let server = RedisServer::start();
    let mut rule = vec!["ACL", "SETUSER", "app", "on", ">secret", "resetkeys", "~myapp:*"];
    rule.extend(RIGHTS.split_whitespace());
    server.command::<()>(&rule);
    for resp3 in [true, false] {
        let url = format!("redis://app:secret@127.0.0.1:{}/0", server.port());
        let config = RedisConfig::from_url(&url)
            .unwrap()
            .with_resp3(resp3)
            .with_deadline(Duration::from_secs(5));
        block_on(async {
            let manager = ConnectionManager::from_config_strict(config).await.unwrap();
            let backend = manager.backend();
            manager.ping().await.unwrap();
            let value = || Bytes::from_static(b"value");
            for condition in [Condition::Always, Condition::IfPresent, starts_with("val")] {
                let of = || condition.clone();
                backend.set("myapp:k", value(), forever()).await.unwrap();
                for expiry in [Expiry::After(Duration::from_mins(1)), Expiry::Never, Expiry::Keep] {
                    let options = SetOptions::new(expiry).with_condition(of());
                    assert!(backend.set("myapp:k", value(), options).await.unwrap().is_done());
                }
                let hour = Duration::from_hours(1);
                assert!(backend.expire("myapp:k", hour, of()).await.unwrap().is_done());
                assert!(backend.persist("myapp:k", of()).await.unwrap().is_done());
                assert_eq!(backend.head("myapp:k", 2).await.unwrap().unwrap().len(), 5);
                assert!(backend.delete("myapp:k", of()).await.unwrap().is_done());
            }
            let absent = forever().with_condition(Condition::IfAbsent);
            assert!(backend.set("myapp:k", value(), absent).await.unwrap().is_done());
            let items = vec![SetItem::new("myapp:l", "v", forever())];
            backend.set_many(items).await.remove(0).unwrap();
            assert_eq!(bytes(backend.get("myapp:k").await).unwrap(), "value");
            assert_eq!(bytes(backend.get_many(&["myapp:l"]).await.remove(0)).unwrap(), "v");
            assert_eq!(listed(&backend, "myapp:*").await, ["myapp:k", "myapp:l"]);
            for removed in backend.delete_many(&["myapp:k", "myapp:l"]).await {
                assert!(removed.unwrap().is_done());
            }
            let error = backend.get("other:k").await.unwrap_err();
            assert_eq!(error.kind(), larder::ErrorKind::Server);
            assert!(error.message().starts_with("NOPERM"), "{error}");
        });
        // The second round teaches the scripts again, as another user may not have left them.
        server.command::<()>(&["SCRIPT", "FLUSH"]);
    }
}
