//! A service that is generic over its cache backend, and its unit tests on memory: no server, no sleeping.
//!
//! Run as a program it shows the service at work; `cargo test --example unit_tests` runs the tests.

use larder::{Cache, CacheBackend, Lookup, Result};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Quote {
    symbol: String,
    cents: u64,
}

/// Prices by symbol. In production `B` is `larder_fred::FredBackend`, in tests `larder_memory::MemoryBackend`.
#[derive(Debug)]
struct Quotes<B> {
    cache: Cache<B>,
    exchange: fn(&str) -> Option<u64>,
}

impl<B: CacheBackend> Quotes<B> {
    /// The price of `symbol`: from the cache, else from the exchange. An unknown symbol is remembered for a minute.
    async fn quote(&self, symbol: &str) -> Result<Option<Quote>> {
        let key = format!("quote:{symbol}");
        match self.cache.lookup(&key).await? {
            Lookup::Hit(quote) => return Ok(Some(quote)),
            Lookup::Absent => return Ok(None),
            Lookup::Miss => {}
        }
        let quote = (self.exchange)(symbol).map(|cents| Quote {
            symbol: symbol.to_owned(),
            cents,
        });
        let ttl = if quote.is_some() { "5s" } else { "1m" };
        self.cache.set(&key, &quote, ttl).await?;
        Ok(quote)
    }
}

fn main() -> Result<()> {
    let cache = Cache::builder(larder_memory::MemoryBackend::new())
        .prefix("quotes")
        .build()?;
    let quotes = Quotes {
        cache,
        exchange: |symbol| (symbol == "LRDR").then_some(4_200),
    };
    let quote = futures::executor::block_on(quotes.quote("LRDR"))?;
    assert_eq!(quote.map(|quote| quote.cents), Some(4_200));
    println!("a quote was fetched and cached");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::executor::block_on;
    use larder::{ErrorKind, ManualClock};
    use larder_memory::{MemoryBackend, Operation};

    use super::*;

    fn quotes(backend: MemoryBackend) -> Quotes<MemoryBackend> {
        Quotes {
            cache: Cache::new(backend),
            exchange: |symbol| (symbol == "LRDR").then_some(4_200),
        }
    }

    #[test]
    fn a_quote_is_fetched_once_in_five_seconds() {
        let clock = ManualClock::new();
        let backend = MemoryBackend::with_clock(clock.clone());
        let quotes = quotes(backend.clone());
        block_on(quotes.quote("LRDR")).unwrap();
        clock.advance(Duration::from_millis(4_999));
        block_on(quotes.quote("LRDR")).unwrap();
        assert_eq!(backend.calls().of(Operation::Set), 1);
        clock.advance(Duration::from_millis(1));
        block_on(quotes.quote("LRDR")).unwrap();
        assert_eq!(backend.calls().of(Operation::Set), 2);
    }

    #[test]
    fn an_unknown_symbol_is_remembered_as_unknown() {
        let backend = MemoryBackend::new();
        let quotes = quotes(backend.clone());
        assert_eq!(block_on(quotes.quote("NONE")).unwrap(), None);
        assert_eq!(block_on(quotes.quote("NONE")).unwrap(), None);
        assert_eq!(backend.calls().of(Operation::Set), 1);
    }

    #[test]
    fn a_backend_that_is_away_is_an_error_the_caller_sees() {
        let backend = MemoryBackend::new();
        let quotes = quotes(backend.clone());
        backend.faults().fail_next(1, ErrorKind::Connection);
        assert_eq!(
            block_on(quotes.quote("LRDR")).unwrap_err().kind(),
            ErrorKind::Connection
        );
        assert!(block_on(quotes.quote("LRDR")).unwrap().is_some());
    }
}
