//! The files of containerlab, as far as they are plain: kinds linux, bridge and host, and the links between
//! them. Pure, as the rest of what is known of a file.

mod command;
mod read;
mod write;
mod yaml;

use super::{Lab, Problem, check, problem::Faults, spec::Spec};

/// A topology of containerlab as a lab file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// What the file would say; it has no problems.
    pub spec: Spec,
    /// What of the topology is not in it, in the order of the lines.
    pub left_out: Vec<Problem>,
}

/// Reads a topology.
///
/// # Errors
///
/// All that a lab cannot be, such as a link to a network of docker's.
pub fn read(text: &str) -> Result<Imported, Vec<Problem>> {
    let mut faults = Faults::default();
    let read = read::read(text, &mut faults);
    // The places in it are those of the topology, so problems are shown there.
    match read.and_then(|(spec, left_out)| Some((check::lab_of(spec, &mut faults)?.spec, left_out))) {
        Some((spec, left_out)) if faults.is_empty() => Ok(Imported { spec, left_out: left_out.into_problems(text) }),
        _ => Err(faults.into_problems(text)),
    }
}

/// A lab as the text of a lab file.
///
/// # Errors
///
/// `Invalid` where TOML has no way to say it; there is none known.
pub fn to_toml(spec: &Spec) -> crate::Result<String> {
    spec.to_toml()
}

/// A lab as a topology, and what of the lab is not in it.
#[must_use]
pub fn write(lab: &Lab) -> (String, Vec<String>) {
    write::write(lab)
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::Index};

    use super::*;

    const PLAIN: &str = include_str!("../../../tests/labs/clab/plain.clab.yml");

    /// The topology with some bytes replaced.
    fn broken() -> impl Strategy<Value = String> {
        let pieces = [
            "",
            ":",
            "- ",
            "[",
            "]",
            "{",
            "}",
            "\"",
            "&a",
            "*a",
            "<<: ",
            "\n",
            "\t",
            "\r",
            "ä",
            "!!binary ",
            "|\n",
            "~",
            "eth1",
        ];
        let edits = prop::collection::vec((any::<Index>(), 0..9_usize, prop::sample::select(pieces.to_vec())), 1..4);
        edits.prop_map(|edits| {
            let mut text = PLAIN.to_owned();
            for (at, length, piece) in edits {
                let start = text.floor_char_boundary(at.index(text.len() + 1));
                let end = text.floor_char_boundary((start + length).min(text.len())).max(start);
                text.replace_range(start..end, piece);
            }
            text
        })
    }

    proptest! {
        #[test]
        fn any_text_is_imported_or_told_what_is_wrong_in_its_place(text in broken()) {
            let problems = match read(&text) {
                Ok(imported) => {
                    let again = Lab::read(&to_toml(&imported.spec).unwrap()).unwrap();
                    prop_assert_eq!(again.spec, imported.spec);
                    imported.left_out
                }
                Err(problems) => {
                    prop_assert!(!problems.is_empty());
                    problems
                }
            };
            for problem in problems {
                prop_assert!(text.get(problem.span.clone()).is_some(), "{:?}", problem);
                prop_assert!(!problem.message.contains(char::is_control), "{:?}", problem.message);
            }
        }
    }
}
