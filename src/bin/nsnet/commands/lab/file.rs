//! Where a lab comes from.

use std::{
    ffi::OsStr,
    fs::File as OpenFile,
    io::{self, Read},
};

use nsnet::{
    lab::{Lab, Problem},
    name::escaped,
};

use super::super::Failure;
use crate::render::BadLab;

/// No lab is described by more; what never ends must not fill the memory.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// A file that was read.
pub struct File {
    /// What it is called in words about it.
    pub name: String,
    pub text: String,
}

impl File {
    /// Reads a file; `-` is stdin.
    pub fn read(path: &OsStr) -> Result<Self, Failure> {
        let name = if path == "-" { "stdin".to_owned() } else { escaped(path.as_encoded_bytes()) };
        let failed = |e: io::Error| Failure::Failed(format!("cannot read '{name}': {e}"));
        let bytes = bytes(path).map_err(failed)?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let at = e.utf8_error().valid_up_to();
            Failure::Failed(format!("cannot read '{name}': it is not UTF-8 from byte {at} on"))
        })?;
        Ok(Self { name, text })
    }

    /// What it means.
    pub fn lab(self) -> Result<Lab, Failure> {
        Lab::read(&self.text).map_err(|problems| Failure::BadLab(Box::new(self.with(problems))))
    }

    pub fn with(self, problems: Vec<Problem>) -> BadLab {
        BadLab { file: self.name, text: self.text, problems }
    }
}

fn bytes(path: &OsStr) -> io::Result<Vec<u8>> {
    if path == "-" { at_most(io::stdin().lock()) } else { at_most(OpenFile::open(path)?) }
}

fn at_most(file: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One more than there may be tells that there is more.
    let count = file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if count as u64 > MOST_BYTES {
        return Err(io::Error::other("it has more than 16 MiB, and no lab file has"));
    }
    Ok(bytes)
}
