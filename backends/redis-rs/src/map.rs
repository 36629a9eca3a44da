//! Which primary has which slots.

use larder_redis_common::Host;
use redis::Value;

use crate::connect::text;

/// The slots, as one node told them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Map {
    /// In the order of their slots.
    ranges: Vec<Range>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Range {
    first: u16,
    last: u16,
    primary: Host,
}

impl Map {
    /// Reads what `by` answered to CLUSTER SLOTS.
    pub(crate) fn parse(answer: &Value, by: &Host) -> Option<Self> {
        let Value::Array(ranges) = answer else { return None };
        let mut ranges: Vec<Range> = ranges.iter().filter_map(|range| Range::parse(range, by)).collect();
        ranges.sort_by_key(|range| range.first);
        (!ranges.is_empty()).then_some(Self { ranges })
    }

    /// The primary of a slot.
    pub(crate) fn owner(&self, slot: u16) -> Option<&Host> {
        let after = self.ranges.partition_point(|range| range.first <= slot);
        let range = &self.ranges[after.checked_sub(1)?];
        (slot <= range.last).then_some(&range.primary)
    }

    /// Each primary once.
    pub(crate) fn primaries(&self) -> Vec<Host> {
        let mut primaries: Vec<Host> = self.ranges.iter().map(|range| range.primary.clone()).collect();
        primaries.sort();
        primaries.dedup();
        primaries
    }
}

impl Range {
    fn parse(range: &Value, by: &Host) -> Option<Self> {
        let Value::Array(parts) = range else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = parts.as_slice() else {
            return None;
        };
        let [name, Value::Int(port), ..] = primary.as_slice() else {
            return None;
        };
        let name = match text(name) {
            // A node that does not know its own name is the one that was asked.
            None | Some("") => &by.name,
            // One that is to be known by name and has none.
            Some("?") => return None,
            Some(name) => name,
        };
        Some(Self {
            first: u16::try_from(*first).ok()?,
            last: u16::try_from(*last).ok()?,
            primary: Host::new(name, u16::try_from(*port).ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: Value, port: i64) -> Value {
        Value::Array(vec![name, Value::Int(port), Value::BulkString(b"id".to_vec())])
    }

    fn range(first: i64, last: i64, primary: Value) -> Value {
        let replica = node(Value::BulkString(b"replica".to_vec()), 9);
        Value::Array(vec![Value::Int(first), Value::Int(last), primary, replica])
    }

    #[test]
    fn each_slot_has_the_primary_that_was_told_and_slots_between_ranges_have_none() {
        let by = Host::new("asked", 1);
        let named = |name: &str| Value::BulkString(name.as_bytes().to_vec());
        let answer = Value::Array(vec![
            range(8_000, 16_383, node(named("b"), 2)),
            range(100, 200, node(Value::Nil, 1)),
            range(300, 300, node(named("?"), 3)),
            range(400, 499, node(named("b"), 2)),
            range(500, 501, node(named(""), 1)),
        ]);
        let map = Map::parse(&answer, &by).unwrap();
        let b = Host::new("b", 2);
        for (slot, owner) in [
            (0, None),
            (99, None),
            (100, Some(&by)),
            (200, Some(&by)),
            (201, None),
            (300, None),
            (499, Some(&b)),
            (500, Some(&by)),
            (7_999, None),
            (16_383, Some(&b)),
        ] {
            assert_eq!(map.owner(slot), owner, "{slot}");
        }
        assert_eq!(map.primaries(), [by.clone(), b]);
        for senseless in [Value::Nil, Value::Array(Vec::new()), Value::Array(vec![Value::Int(1)])] {
            assert_eq!(Map::parse(&senseless, &by), None);
        }
    }
}
