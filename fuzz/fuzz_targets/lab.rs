//! A lab file is good and reads back from JSON, or what is wrong is told in plain text and in its place.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nsnet::lab::Lab;

fuzz_target!(|text: &str| {
    match Lab::read(text) {
        Ok(lab) => assert_eq!(Lab::of(lab.spec.clone()).unwrap(), lab),
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(text.get(problem.span.clone()).is_some(), "{problem:?}");
                let said = problem.message + &problem.hint.unwrap_or_default();
                assert!(!said.contains(char::is_control), "{said:?}");
            }
        }
    }
});
