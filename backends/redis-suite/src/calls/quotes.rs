//! Servers that quote the arguments of what they do not know, as they are.

use std::time::Duration;

use bytes::Bytes;
use larder::{CacheBackend, Condition, ErrorKind};
use testkit::RedisServer;

use crate::{
    Client, Settings,
    support::{block_on, eventually_async, forever},
};

/// No UTF-8, as most values are not.
const BYTES: Bytes = Bytes::from_static(&[0xff, 0xfe, 0x80]);

const VALUES: [(&str, &str); 3] = [("a", "1"), ("b", "2"), ("c", "3")];

/// Keys that are cut in the middle of a letter where little room is left for them.
fn keys() -> impl Iterator<Item = String> {
    let plain = [String::from("a")];
    let cut = (70..80).chain([120, 121]).map(|len| "k".repeat(len) + &"é".repeat(30));
    plain.into_iter().chain(cut)
}

/// Runs a test against a server that lacks those commands, in the client's own protocol and in both.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a closure in place reads better without a borrow"
)]
fn on_servers_without<C: Client>(commands: &[&str], test: impl AsyncFn(&C::Backend)) {
    let renamed = commands.iter().flat_map(|name| ["--rename-command", name, ""]);
    for resp3 in [None, Some(true), Some(false)] {
        let server = RedisServer::start_with(&renamed.clone().collect::<Vec<_>>());
        server.command::<()>(&["MSET", "a", "1", "b", "2", "c", "3"]);
        block_on(async {
            let mut settings = Settings::new(server.url());
            if let Some(resp3) = resp3 {
                settings = settings.with_resp3(resp3);
            }
            let client = C::connect_strict(settings).await.unwrap();
            test(&client.backend()).await;
        });
    }
}

/// Sees to it that every key is answered by its own value. What loses its connection for such an error is waited for.
async fn every_answer_is_in_its_place(backend: &impl CacheBackend) {
    for (key, value) in VALUES {
        eventually_async("the connection is made anew", async || match backend.get(key).await {
            Ok(found) => {
                assert_eq!(found.unwrap().bytes(), value, "{key}");
                true
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
                false
            }
        })
        .await;
    }
}

pub(crate) fn a_server_without_scripts_moves_no_answer_to_another_call<C: Client>() {
    on_servers_without::<C>(&["EVALSHA", "EVAL"], async |backend| {
        for key in keys() {
            assert!(backend.delete(&key, Condition::IfStartsWith(BYTES)).await.is_err());
            every_answer_is_in_its_place(backend).await;
            assert!(backend.persist(&key, Condition::Always).await.is_err());
            every_answer_is_in_its_place(backend).await;
        }
    });
}

pub(crate) fn a_server_without_a_command_moves_no_answer_to_another_call<C: Client>() {
    on_servers_without::<C>(&["SET", "UNLINK", "PEXPIRE"], async |backend| {
        for key in keys() {
            let hour = Duration::from_hours(1);
            assert!(backend.set(&key, BYTES, forever()).await.is_err());
            every_answer_is_in_its_place(backend).await;
            assert!(backend.delete(&key, Condition::Always).await.is_err());
            every_answer_is_in_its_place(backend).await;
            assert!(backend.expire(&key, hour, Condition::Always).await.is_err());
            every_answer_is_in_its_place(backend).await;
        }
    });
}
