//! Hardware addresses that are the same on every run.

use crate::addr::Mac;

/// FNV-1a, whose result does not depend on the version of a library.
pub(super) fn hash<'a>(words: impl IntoIterator<Item = &'a str>) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    let one = |hash: u64, word: &str| word.bytes().chain([0]).fold(hash, step);
    words.into_iter().fold(0xcbf2_9ce4_8422_2325, one)
}

/// The address of an interface: unicast, and locally administered.
pub(super) fn of(lab: &str, node: &str, interface: &str) -> Mac {
    let hash = hash([lab, node, interface]);
    // The upper bits of FNV-1a change least between names that end alike.
    let [.., a, b, c, d, e, f] = (hash ^ (hash >> 17)).to_be_bytes();
    Mac::from_random([a, b, c, d, e, f])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // Of "a", "foobar", from the page of FNV's authors; here each word ends with a zero.
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        assert_eq!("a".bytes().fold(0xcbf2_9ce4_8422_2325, step), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash(["a"]), step(0xaf63_dc4c_8601_ec8c, 0));
    }

    #[test]
    fn addresses_never_change_and_differ() {
        assert_eq!(of("campus", "h1", "eth0").to_string(), "3a:0c:a8:86:8c:a6");
        let mut seen = HashSet::new();
        for node in 0..5_000 {
            for interface in ["eth0", "eth1"] {
                let mac = of("campus", &format!("h{node}"), interface);
                assert_eq!(mac.octets()[0] & 0b11, 0b10, "unicast and local");
                assert!(seen.insert(mac), "{node} {interface}");
            }
        }
        assert_ne!(of("a", "bc", "d"), of("ab", "c", "d"));
    }
}
