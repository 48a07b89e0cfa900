//! What tells that something is a lab's: never its name alone.
//!
//! A namespace says so in the alias of its `lo`, a link inside by its group, a route by its protocol and its link.

use std::ffi::OsStr;

use super::{state::Place, step::word_of};
use crate::name::{LabName, NsName};

/// The group of links that were made for a lab, in namespaces of the lab: `ns` in ASCII.
pub(super) const LINK_GROUP: u32 = 0x6e73;
/// The group of those that are about to be deleted.
pub(super) const DOOMED_GROUP: u32 = 0x6e74;
/// The group of their ends in the starting namespace, which may be a node of another lab.
pub(super) const HERE_GROUP: u32 = 0x6e75;

/// Who made the routes of a lab: `proto 110` as ip shows it, a number that nobody else is known to have.
pub const ROUTE_PROTOCOL: u8 = 110;

/// The group of the links of a place.
pub(super) fn link_group(place: &Place) -> u32 {
    if *place == Place::Here { HERE_GROUP } else { LINK_GROUP }
}

/// The namespace of the bridges, which no node can be called.
const SWITCHES: &str = "~sw";

/// The note on the `lo` of a namespace: `nsnet:lab=campus node=r1`.
pub(super) fn note(lab: &LabName, place: &Place) -> String {
    lab.note_of(word_of(place))
}

/// The lab and the place that a note is about, if it is one of nsnet's.
pub(super) fn read_note(text: &str) -> Option<(LabName, Place)> {
    let (lab, node) = text.strip_prefix("nsnet:lab=")?.split_once(" node=")?;
    Some((lab.parse().ok()?, place_of(node)?))
}

/// The name of a place's namespace, `LAB.NODE`; the starting namespace has none.
pub(super) fn ns_name(lab: &LabName, place: &Place) -> Option<NsName> {
    (*place != Place::Here).then(|| lab.ns_name_of(word_of(place)))
}

/// The lab and the place that a name would be of, if its mark agrees.
pub(super) fn read_name(name: &OsStr) -> Option<(LabName, Place)> {
    let (lab, node) = name.to_str()?.split_once('.')?;
    Some((lab.parse().ok()?, place_of(node)?))
}

/// The place of this lab that a name would be of.
pub(super) fn place_in(lab: &LabName, name: &OsStr) -> Option<Place> {
    read_name(name).filter(|(of, _)| of == lab).map(|(_, place)| place)
}

fn place_of(word: &str) -> Option<Place> {
    if word == SWITCHES { Some(Place::Switches) } else { word.parse().ok().map(Place::Node) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_and_others_are_none() {
        let lab: LabName = "lab-x".parse().unwrap();
        for place in [Place::Switches, Place::Node("h1".parse().unwrap())] {
            assert_eq!(read_note(&note(&lab, &place)), Some((lab.clone(), place.clone())));
            let name = ns_name(&lab, &place).unwrap();
            assert_eq!(read_name(name.as_os_str()), Some((lab.clone(), place)));
        }
        assert_eq!(ns_name(&lab, &Place::Here), None);
        for other in ["", "uplink", "nsnet:lab= node=a", "nsnet:lab=a", "nsnet:lab=a node=b c"] {
            assert_eq!(read_note(other), None, "{other}");
        }
        for other in ["lab", "lab.", ".h1", "lab.a.b", "lab.~x", "lab.h 1"] {
            assert_eq!(read_name(OsStr::new(other)), None, "{other}");
        }
    }
}
