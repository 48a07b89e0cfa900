//! What iproute2 calls numbers: tables, protocols, scopes and groups, by its files in `/etc/iproute2`.

use std::{cell::OnceCell, collections::BTreeMap, fs, path::Path};

/// The names of numbers, read when they are first asked for.
#[derive(Debug, Default)]
pub struct Names {
    /// Whether to show numbers as they are.
    numeric: bool,
    read: [OnceCell<BTreeMap<u32, String>>; 4],
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    Table,
    Protocol,
    Scope,
    Group,
}

impl Space {
    const fn file(self) -> &'static str {
        match self {
            Self::Table => "rt_tables",
            Self::Protocol => "rt_protos",
            Self::Scope => "rt_scopes",
            Self::Group => "group",
        }
    }

    /// What holds without any file.
    const fn built_in(self) -> &'static [(u32, &'static str)] {
        match self {
            Self::Table => &[(253, "default"), (254, "main"), (255, "local")],
            Self::Protocol => &[
                (0, "unspec"),
                (1, "redirect"),
                (2, "kernel"),
                (3, "boot"),
                (4, "static"),
                (8, "gated"),
                (9, "ra"),
                (10, "mrt"),
                (11, "zebra"),
                (12, "bird"),
                (13, "dnrouted"),
                (14, "xorp"),
                (15, "ntk"),
                (16, "dhcp"),
                (18, "keepalived"),
                (42, "babel"),
                (186, "bgp"),
                (187, "isis"),
                (188, "ospf"),
                (189, "rip"),
                (192, "eigrp"),
            ],
            Self::Scope => &[(0, "global"), (200, "site"), (253, "link"), (254, "host"), (255, "nowhere")],
            Self::Group => &[(0, "default")],
        }
    }
}

impl Names {
    /// With `numeric`, numbers are shown as they are.
    pub fn new(numeric: bool) -> Self {
        Self { numeric, read: Default::default() }
    }

    /// Whether numbers are shown as they are.
    pub fn is_numeric(&self) -> bool {
        self.numeric
    }

    /// What iproute2 calls this number; the number itself where it has no name.
    pub fn name(&self, space: Space, number: u32) -> String {
        let named = if self.numeric { None } else { self.of(space).get(&number).cloned() };
        named.unwrap_or_else(|| number.to_string())
    }

    /// The number of this name.
    pub fn number(&self, space: Space, name: &str) -> Option<u32> {
        self.of(space).iter().find(|(_, own)| *own == name).map(|(&number, _)| number)
    }

    fn of(&self, space: Space) -> &BTreeMap<u32, String> {
        self.read[space as usize].get_or_init(|| {
            let built_in = space.built_in().iter().map(|&(number, name)| (number, name.to_owned()));
            built_in.chain(written(space.file())).collect()
        })
    }
}

/// The user or the group of this id, by `passwd` or `group` in `/etc`.
pub fn owner(file: &str, id: u64) -> Option<String> {
    let text = fs::read_to_string(Path::new("/etc").join(file)).ok()?;
    let fields = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut owners = fields.filter_map(|fields| Some((fields.get(2)?.parse().ok()?, (*fields.first()?).to_owned())));
    owners.find(|&(own, _): &(u64, _)| own == id).map(|(_, name)| name)
}

/// The entries of a file and of those in the directory beside it, the last of a number winning.
fn written(file: &str) -> Vec<(u32, String)> {
    let Some(dir) = ["/etc/iproute2", "/usr/share/iproute2"].map(Path::new).into_iter().find(|dir| dir.exists()) else {
        return Vec::new();
    };
    let more = fs::read_dir(dir.join(format!("{file}.d"))).into_iter().flatten().flatten();
    let mut files: Vec<_> = more.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "conf"));
    files.insert(0, dir.join(file));
    files.iter().filter_map(|path| fs::read_to_string(path).ok()).flat_map(|text| entries(&text)).collect()
}

/// `254 main` a line; numbers may be hexadecimal, and `#` begins a comment.
fn entries(text: &str) -> Vec<(u32, String)> {
    let entry = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (number, name) = (words.next()?, words.next()?);
        let number = match number.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        Some((number.ok()?, name.to_owned()))
    };
    text.lines().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_numbers_and_names() {
        let text = "# tables\n255\tlocal\n 0xfe main # the usual\nx y\n7\n";
        assert_eq!(entries(text), [(255, "local".to_owned()), (254, "main".to_owned())]);
    }

    #[test]
    fn numbers_without_a_name_are_themselves() {
        let names = Names::default();
        assert_eq!(names.name(Space::Table, 254), "main");
        assert_eq!(names.name(Space::Table, 70_000), "70000");
        assert_eq!(names.number(Space::Scope, "link"), Some(253));
        assert_eq!(Names::new(true).name(Space::Scope, 253), "253");
    }
}
