//! Scripted faults, gates, delays and call counts of `MemoryBackend`.

use std::{thread, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, executor::block_on, future::join_all, poll};
use larder::{CacheBackend, Condition, ErrorKind, Expiry, ManualClock, Outcome, Result, SetItem, SetOptions};
use larder_memory::{MemoryBackend, Operation};

async fn set(backend: &MemoryBackend, key: &str) -> Result<Outcome> {
    let value = Bytes::from_static(b"v");
    backend.set(key, value, SetOptions::new(Expiry::Never)).await
}

fn item(key: &str) -> SetItem {
    SetItem::new(key, "v", SetOptions::new(Expiry::Never))
}

#[test]
fn the_next_calls_fail_and_the_ones_after_do_not() {
    block_on(async {
        let backend = MemoryBackend::new();
        backend.faults().fail_next(2, ErrorKind::Connection);
        assert_eq!(set(&backend, "k").await.unwrap_err().kind(), ErrorKind::Connection);
        let error = backend.get("k").await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Connection, Some("get")));
        assert_eq!(backend.raw("k"), None, "what failed was not applied");
        assert!(set(&backend, "k").await.unwrap().is_done());
    });
}

#[test]
fn the_store_is_away_until_it_recovers() {
    block_on(async {
        let backend = MemoryBackend::new();
        let faults = backend.clone().faults();
        faults.fail_all(ErrorKind::Timeout);
        for _ in 0..10 {
            assert_eq!(set(&backend, "k").await.unwrap_err().kind(), ErrorKind::Timeout);
        }
        faults.recover();
        assert!(set(&backend, "k").await.unwrap().is_done());
    });
}

#[test]
fn a_fault_of_one_method_leaves_the_others_alone() {
    block_on(async {
        let backend = MemoryBackend::new();
        let faults = backend.faults();
        faults.fail_next_of(Operation::Get, 1, ErrorKind::Server);
        assert!(set(&backend, "k").await.is_ok());
        assert!(backend.head("k", 1).await.is_ok());
        assert_eq!(backend.get("k").await.unwrap_err().kind(), ErrorKind::Server);
        assert!(backend.get("k").await.is_ok());
    });
}

#[test]
fn a_write_may_be_applied_although_its_answer_is_lost() {
    block_on(async {
        let backend = MemoryBackend::new();
        backend.faults().fail_next_applied(1, ErrorKind::Timeout);
        assert_eq!(set(&backend, "k").await.unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(backend.raw("k").as_deref(), Some(b"v".as_slice()));
        backend
            .faults()
            .fail_next_applied_of(Operation::DeleteMany, 1, ErrorKind::Timeout);
        assert!(backend.delete_many(&["k"]).await[0].is_err());
        assert!(backend.is_empty());
    });
}

#[test]
fn a_fault_falls_on_every_result_of_a_batch() {
    block_on(async {
        let backend = MemoryBackend::new();
        backend.faults().fail_next(3, ErrorKind::Overloaded);
        let kinds: Vec<_> = backend
            .get_many(&["a", "b"])
            .await
            .into_iter()
            .map(|r| r.unwrap_err().kind())
            .collect();
        assert_eq!(kinds, [ErrorKind::Overloaded; 2]);
        assert!(
            backend
                .set_many(vec![item("a"), item("b")])
                .await
                .iter()
                .all(Result::is_err)
        );
        assert!(backend.delete_many(&["a"]).await.iter().all(Result::is_err));
        assert!(backend.get_many(&["a"]).await.iter().all(Result::is_ok));
        assert!(backend.is_empty());
    });
}

#[test]
fn an_empty_batch_takes_no_fault_and_is_no_call() {
    block_on(async {
        let backend = MemoryBackend::new();
        backend.faults().fail_next(1, ErrorKind::Connection);
        assert!(backend.get_many(&[]).await.is_empty());
        assert!(backend.set_many(Vec::new()).await.is_empty());
        assert!(backend.delete_many(&[]).await.is_empty());
        assert_eq!(backend.calls().total(), 0);
        assert!(backend.get("k").await.is_err());
    });
}

#[test]
fn a_page_of_a_scan_that_fails_ends_it() {
    block_on(async {
        let backend = MemoryBackend::new();
        for n in 0..2_000 {
            set(&backend, &format!("{n}")).await.unwrap();
        }
        let mut pages = std::pin::pin!(backend.scan("*"));
        assert!(pages.next().await.unwrap().is_ok());
        backend.faults().fail_next_of(Operation::Scan, 1, ErrorKind::Connection);
        assert!(pages.next().await.unwrap().is_err());
        assert!(pages.next().await.is_none());
        assert_eq!(backend.calls().of(Operation::Scan), 2);
    });
}

#[test]
fn a_dropped_scan_asks_for_no_further_page() {
    block_on(async {
        let backend = MemoryBackend::new();
        for n in 0..2_000 {
            set(&backend, &format!("{n}")).await.unwrap();
        }
        backend.reset_calls();
        {
            let mut pages = Box::pin(backend.scan("*"));
            assert!(pages.next().await.unwrap().is_ok());
        }
        assert_eq!(backend.calls().total(), 1);
    });
}

#[test]
fn calls_wait_at_a_gate_until_it_is_released() {
    let backend = MemoryBackend::new();
    let gate = backend.faults().hold();
    let writers: Vec<_> = (0..8)
        .map(|n| {
            let backend = backend.clone();
            thread::spawn(move || block_on(set(&backend, &format!("{n}"))))
        })
        .collect();
    block_on(gate.wait_for(8));
    assert_eq!(gate.waiting(), 8);
    assert!(backend.is_empty());
    gate.release();
    for writer in writers {
        assert!(writer.join().unwrap().unwrap().is_done());
    }
    assert_eq!(backend.len(), 8);
}

#[test]
fn a_call_that_is_dropped_at_a_gate_is_not_applied() {
    block_on(async {
        let backend = MemoryBackend::new();
        let gate = backend.faults().hold();
        let mut write = Box::pin(set(&backend, "k"));
        assert!(poll!(write.as_mut()).is_pending());
        assert!(poll!(write.as_mut()).is_pending());
        assert_eq!(gate.waiting(), 1);
        drop(write);
        assert_eq!(gate.waiting(), 0);
        drop(gate);
        assert!(backend.is_empty());
        assert!(set(&backend, "k").await.is_ok());
    });
}

#[test]
fn a_gate_of_one_method_lets_the_others_pass_and_opens_for_later_calls() {
    block_on(async {
        let backend = MemoryBackend::new();
        let gate = backend.faults().hold_of(Operation::Get);
        set(&backend, "k").await.unwrap();
        let mut read = Box::pin(backend.get("k"));
        assert!(poll!(read.as_mut()).is_pending());
        backend.delete("k", Condition::Always).await.unwrap();
        gate.release();
        assert!(read.await.unwrap().is_none(), "the read acts when it is let through");
        assert!(backend.get("k").await.is_ok());
    });
}

#[test]
fn a_delayed_call_goes_on_when_the_clock_has_moved() {
    block_on(async {
        let clock = ManualClock::new();
        let backend = MemoryBackend::with_clock(clock.clone());
        backend.faults().delay_next(1, Duration::from_secs(5));
        let mut write = Box::pin(set(&backend, "k"));
        assert!(poll!(write.as_mut()).is_pending());
        clock.advance(Duration::from_millis(4_999));
        assert!(poll!(write.as_mut()).is_pending());
        assert!(set(&backend, "other").await.is_ok(), "the next call is not delayed");
        clock.advance(Duration::from_millis(1));
        assert!(write.await.unwrap().is_done());
    });
}

#[test]
fn a_delay_on_the_system_clock_is_real_and_one_that_is_dropped_is_not_applied() {
    block_on(async {
        let backend = MemoryBackend::new();
        backend.faults().delay_next(3, Duration::from_millis(20));
        let start = std::time::Instant::now();
        let mut dropped = Box::pin(set(&backend, "dropped"));
        assert!(poll!(dropped.as_mut()).is_pending());
        drop(dropped);
        let writes = join_all([set(&backend, "a"), set(&backend, "b")]).await;
        assert!(writes.iter().all(Result::is_ok));
        assert!(start.elapsed() >= Duration::from_millis(20));
        assert_eq!(backend.raw("dropped"), None);
    });
}

#[test]
fn calls_are_counted_by_method_with_the_keys_of_batches() {
    block_on(async {
        let backend = MemoryBackend::new();
        backend.set_many(vec![item("a"), item("b"), item("c")]).await;
        backend.get_many(&["a", "b"]).await;
        backend.delete_many(&["a"]).await;
        backend.get("b").await.unwrap();
        backend.head("b", 0).await.unwrap();
        backend
            .expire("b", Duration::from_secs(1), Condition::Always)
            .await
            .unwrap();
        backend.persist("b", Condition::Always).await.unwrap();
        backend.delete("b", Condition::Always).await.unwrap();
        set(&backend, "b").await.unwrap();
        assert_eq!(backend.scan("*").count().await, 1);
        let calls = backend.calls();
        for operation in Operation::ALL {
            assert_eq!(calls.of(operation), 1, "{operation}");
        }
        assert_eq!(calls.total(), 10);
        assert_eq!(calls.keys_in_batches(), 6);
        assert_eq!(calls.keys_in(Operation::SetMany), 3);
        backend.reset_calls();
        assert_eq!(backend.calls().total(), 0);
    });
}

#[test]
fn a_value_does_not_pin_the_buffer_it_came_in() {
    block_on(async {
        let backend = MemoryBackend::new();
        let buffer = Bytes::from(vec![1_u8; 1 << 20]);
        let options = SetOptions::new(Expiry::Never);
        backend.set("k", buffer.slice(..8), options).await.unwrap();
        assert!(buffer.is_unique(), "the store holds a part of the buffer");
    });
}
