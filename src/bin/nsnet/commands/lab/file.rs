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
    let mut bytes = Vec::new();
    if path == "-" {
        io::stdin().lock().read_to_end(&mut bytes)?;
    } else {
        OpenFile::open(path)?.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
