//! Files of `/proc` that somebody else has a say in: mount points, cgroups, locks.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nsnet::fuzzing;

fuzz_target!(|bytes: &[u8]| {
    for point in fuzzing::mount_points(bytes) {
        assert!(point.as_os_str().len() <= bytes.len());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert_ne!(fuzzing::flock_holder(text, 0x18, 99), Some(0));
        assert!(fuzzing::outside_of_vrf(text).is_none_or(|outer| text.contains(outer)));
    }
});
