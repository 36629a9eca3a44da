//! Servers that say what nobody asked for, or what no server says.

use std::time::{Duration, Instant};

use futures::future::join_all;
use larder::{CacheBackend, Condition, ErrorKind, SetItem};

use crate::{
    Client, Settings,
    scripted::{Answer, Scripted},
    support::{DEADLINE, MARGIN, block_on, brief, eventually_async, forever, starts_with, within},
};

/// Greets everyone and answers every further command with `said`.
fn saying(said: &str) -> Scripted {
    let said = said.to_owned();
    Scripted::start(move |command, _| match command.split(' ').next() {
        Some("GET" | "MGET" | "SET" | "EVALSHA" | "EVAL" | "SCAN" | "UNLINK") => Answer::Say(said.clone()),
        _ => Answer::Greet,
    })
}

pub(crate) fn outage_an_answer_that_is_no_protocol_is_an_error_and_no_value_of_another_call<C: Client>() {
    let server = Scripted::start(|command, _| match command {
        "GET garbage" => Answer::Say("HTTP/1.1 400 Bad Request\r\n\r\n".to_owned()),
        get if get.starts_with("GET ") => Answer::Say(format!("${}\r\n{}\r\n", get.len() - 4, &get[4..])),
        _ => Answer::Greet,
    });
    block_on(async {
        let client: C = brief(server.url()).await;
        let backend = client.backend();
        for _ in 0..5 {
            let keys = ["a", "garbage", "bb", "garbage", "ccc"];
            let found = join_all(keys.iter().map(|key| backend.get(key))).await;
            for (key, found) in keys.iter().zip(found) {
                match found {
                    Ok(found) => assert_eq!(found.unwrap().bytes(), key),
                    Err(error) => {
                        assert!(error.is_unavailable() || error.kind() == ErrorKind::Server, "{error}");
                        assert_eq!(error.to_string().lines().count(), 1, "{error}");
                    }
                }
            }
            eventually_async("calls are answered again", async || {
                backend
                    .get("after")
                    .await
                    .is_ok_and(|found| found.unwrap().bytes() == "after")
            })
            .await;
        }
    });
}

pub(crate) fn outage_answers_of_another_kind_and_absurd_lengths_are_errors_in_time<C: Client>() {
    for said in [
        ":1\r\n",
        "*1\r\n$1\r\nv\r\n",
        "*0\r\n",
        "%1\r\n+a\r\n+b\r\n",
        "#t\r\n",
        ",1.5\r\n",
        "+QUEUED\r\n",
        "$-7\r\n",
        "$999999999999\r\n",
        "*2147483647\r\n",
        "%2147483647\r\n",
        "*-2\r\n",
        "$x\r\n",
        "\r\n",
        "?\r\n",
    ] {
        let server = saying(said);
        block_on(async {
            let client: C = brief(server.url()).await;
            let backend = client.backend();
            let began = Instant::now();
            let found = backend.get_many(&["a", "b"]).await;
            within(DEADLINE + MARGIN, began);
            assert!(found.iter().all(Result::is_err), "{said:?}: {found:?}");
            let began = Instant::now();
            let head = backend.head("k", 1).await;
            // Some take what has a negative length for nothing.
            assert!(head.as_ref().map_or(true, Option::is_none), "{said:?}: {head:?}");
            within(DEADLINE + MARGIN, began);
            let set = backend.set("k", "v".into(), forever()).await;
            assert!(set.is_err(), "{said:?}: {set:?}");
            let absent = forever().with_condition(Condition::IfAbsent);
            let set = backend.set("k", "v".into(), absent).await;
            assert!(
                !set.as_ref().is_ok_and(|outcome| outcome.is_done()),
                "{said:?}: {set:?}"
            );
        });
    }
}

pub(crate) fn outage_what_a_server_can_not_do_for_now_is_away_and_what_it_refuses_is_not<C: Client>() {
    for (said, kind) in [
        ("LOADING Redis is loading the dataset in memory", ErrorKind::Connection),
        ("BUSY Redis is busy running a script", ErrorKind::Connection),
        ("CLUSTERDOWN The cluster is down", ErrorKind::Connection),
        ("MASTERDOWN Link with MASTER is down", ErrorKind::Connection),
        (
            "TRYAGAIN Multiple keys request during rehashing of slot",
            ErrorKind::Connection,
        ),
        ("MOVED 1 127.0.0.1:1", ErrorKind::Connection),
        ("ASK 1 127.0.0.1:1", ErrorKind::Connection),
        (
            "READONLY You can't write against a read only replica",
            ErrorKind::Server,
        ),
        (
            "NOPERM User app has no permissions to run the command",
            ErrorKind::Server,
        ),
        ("MISCONF Redis is configured to save RDB snapshots", ErrorKind::Server),
        ("NOSCRIPT No matching script", ErrorKind::Server),
        ("ERR unknown command", ErrorKind::Server),
    ] {
        let server = saying(&format!("-{said}.\r\n"));
        block_on(async {
            let client = C::connect_strict(Settings::new(server.url())).await.unwrap();
            let backend = client.backend();
            let item = || SetItem::new("k", "v", forever());
            let conditional = SetItem::new("k", "v", forever().with_condition(Condition::IfPresent));
            let mut errors = vec![
                backend.get("k").await.unwrap_err(),
                backend.head("k", 1).await.unwrap_err(),
                backend.delete("k", starts_with("v")).await.unwrap_err(),
                backend.set("k", "v".into(), forever()).await.unwrap_err(),
            ];
            errors.extend(backend.get_many(&["a", "b"]).await.into_iter().map(Result::unwrap_err));
            for answer in backend.set_many(vec![item(), item(), conditional]).await {
                errors.push(answer.unwrap_err());
            }
            for error in errors {
                assert_eq!(error.kind(), kind, "{error}");
                // Of one that is away, a client may know no more than that.
                if kind == ErrorKind::Server {
                    // Which command it is that is not known, a client may say.
                    assert!(error.message().starts_with(said), "{error}");
                }
            }
        });
    }
}

pub(crate) fn outage_a_server_that_is_loading_is_away_until_it_is_done<C: Client>() {
    let began = Instant::now();
    let server = Scripted::start(move |_, _| {
        if began.elapsed() < Duration::from_secs(1) {
            Answer::Say("-LOADING Redis is loading the dataset in memory\r\n".to_owned())
        } else {
            Answer::Greet
        }
    });
    block_on(async {
        let strict = C::connect_strict(Settings::new(server.url())).await.unwrap_err();
        assert_eq!(strict.kind(), ErrorKind::Connection, "{strict}");
        let client = C::connect(Settings::new(server.url())).await.unwrap();
        eventually_async("it is done", async || client.ping().await.is_ok()).await;
        within(Duration::from_secs(3), began);
    });
}

pub(crate) fn outage_a_batch_whose_scripts_are_unknown_is_bounded_where_the_server_then_stalls<C: Client>() {
    let server = Scripted::start(|command, _| match command.split_once(' ') {
        Some(("EVALSHA", _)) => Answer::Say("-NOSCRIPT No matching script.\r\n".to_owned()),
        Some(("EVAL", _)) => Answer::FallSilent,
        _ => Answer::Greet,
    });
    block_on(async {
        let client: C = brief(server.url()).await;
        let items = (0..50).map(|i| SetItem::new(format!("k{i}"), "v", forever().with_condition(Condition::IfPresent)));
        let began = Instant::now();
        let answers = client.backend().set_many(items.collect()).await;
        within(2 * DEADLINE + MARGIN, began);
        for answer in answers {
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        }
        assert_eq!(server.commands("EVALSHA "), 50);
        assert!(server.commands("EVAL ") > 0);
    });
}

pub(crate) fn outage_a_server_that_lets_clients_in_and_throws_them_out_is_not_stormed<C: Client>() {
    let server = Scripted::start(|command, _| {
        if command.starts_with("GET") {
            Answer::HangUp
        } else {
            Answer::Greet
        }
    });
    block_on(async {
        let client: C = brief(server.url()).await;
        let backend = client.backend();
        let (began, before) = (Instant::now(), server.accepted());
        while began.elapsed() < Duration::from_secs(2) {
            assert!(backend.get("k").await.unwrap_err().is_unavailable());
            smol::Timer::after(Duration::from_millis(2)).await;
        }
        let made = server.accepted() - before;
        println!("{made} connections in two seconds");
        assert!((2..=120).contains(&made), "{made}");
    });
}

pub(crate) fn outage_what_a_server_quotes_of_a_greeting_is_not_told<C: Client>() {
    for resp3 in [true, false] {
        let server = Scripted::start(|command, _| match command.split(' ').next() {
            Some("HELLO" | "AUTH") => Answer::Say(format!(
                "-ERR unknown command 'HELLO', with args beginning with: '{}'\r\n",
                command.replace(' ', "' '")
            )),
            _ => Answer::Greet,
        });
        let url = format!("redis://app:hunter2@127.0.0.1:{}/0", server.port());
        block_on(async {
            let error = C::connect(Settings::new(&url).with_resp3(resp3)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Server, "{error}");
            let client = C::from_config_lazy(Settings::new(&url).with_resp3(resp3).config().unwrap()).unwrap();
            let refusal = format!("{error} {error:?}");
            eventually_async("the reason is told", async || {
                let error = client.backend().get("k").await.unwrap_err();
                error.to_string().contains("unknown command")
            })
            .await;
            let error = client.ping().await.unwrap_err();
            let mut causes: Vec<&dyn std::error::Error> = vec![&error];
            while let Some(cause) = causes[causes.len() - 1].source() {
                causes.push(cause);
            }
            let words: Vec<String> = causes.iter().map(ToString::to_string).collect();
            let told = format!("{refusal} {causes:?} {words:?} {client:?} {:?}", client.backend());
            assert!(!told.contains("hunter2"), "{told}");
        });
    }
}

pub(crate) fn outage_a_cluster_whose_nodes_send_a_key_around_answers_in_time<C: Client>() {
    for redirection in ["MOVED", "ASK"] {
        let server = Scripted::start(move |command, port| match command.split(' ').next() {
            Some("CLUSTER") if command.ends_with("INFO") => Answer::Say("$16\r\ncluster_state:ok\r\n".to_owned()),
            Some("CLUSTER") => Answer::Say(format!(
                "*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n$9\r\n127.0.0.1\r\n:{port}\r\n$2\r\nid\r\n*0\r\n"
            )),
            Some("GET" | "SET") => Answer::Say(format!("-{redirection} 1 127.0.0.1:{port}\r\n")),
            _ => Answer::Greet,
        });
        block_on(async {
            let client: C = brief(format!("redis-cluster://127.0.0.1:{}", server.port())).await;
            let backend = client.backend();
            let began = Instant::now();
            let error = backend.get("k").await.unwrap_err();
            within(DEADLINE + MARGIN, began);
            assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
            assert!(error.message().starts_with(redirection), "{error}");
            let written = backend.set("k", "v".into(), forever()).await;
            assert_eq!(written.unwrap_err().kind(), ErrorKind::Connection);
            assert!(server.commands("GET") <= 6, "{}", server.commands("GET"));
        });
    }
}
