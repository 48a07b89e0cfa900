//! `/proc/PID/mountinfo`, as far as nsnet asks it.

use std::{
    ffi::OsString,
    fs::File,
    io::Read as _,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

/// One line of mountinfo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    pub id: u64,
    /// `major:minor`, as written there.
    pub device: String,
    /// What of the file system is mounted: `/`, a directory, or `net:[4026532177]` for a namespace.
    pub root: OsString,
    pub point: PathBuf,
    /// The peer group, where the mount is shared.
    pub shared: Option<u64>,
    /// The peer group it receives from, where it is a slave.
    pub master: Option<u64>,
    /// `sysfs`, `cgroup2` and so on.
    pub fs_type: String,
}

/// Reads all lines; one that cannot be understood is left out.
pub(crate) fn parse(text: &[u8]) -> impl Iterator<Item = Mount> {
    text.split(|&b| b == b'\n').filter_map(parse_line)
}

/// The points of the calling thread's mounts that lie below a directory. The others, of which there can be thousands, are
/// only skipped over.
pub(super) fn points_below(dir: &str) -> std::io::Result<Vec<PathBuf>> {
    let text = read(Path::new("/proc/thread-self/mountinfo"))?;
    Ok(lines_below(&text, dir).filter_map(parse_line).map(|mount| mount.point).collect())
}

/// As the kernel writes a path there.
fn escaped(path: &str) -> String {
    path.replace('\\', r"\134").replace(' ', r"\040").replace('\t', r"\011").replace('\n', r"\012")
}

fn lines_below<'a>(text: &'a [u8], dir: &str) -> impl Iterator<Item = &'a [u8]> {
    let point = |line: &'a [u8]| line.split(|&b| b == b' ').nth(4);
    let dir = escaped(dir.trim_end_matches('/'));
    let below = move |point: &[u8]| {
        point.strip_prefix(dir.as_bytes()).is_some_and(|rest| rest.starts_with(b"/") && rest != b"/")
    };
    text.split(|&b| b == b'\n').filter(move |line| point(line).is_some_and(&below))
}

/// The mounts of the calling thread.
pub(crate) fn of_this_thread() -> std::io::Result<Vec<Mount>> {
    of(Path::new("/proc/thread-self/mountinfo"))
}

pub(crate) fn of(path: &Path) -> std::io::Result<Vec<Mount>> {
    read(path).map(|text| parse(&text).collect())
}

/// A file of `/proc` does not tell its size: with room for all of it, it takes few calls.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(64 << 10);
    File::open(path)?.read_to_end(&mut text)?;
    Ok(text)
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&b| b == b' ');
    let id = number(fields.next()?)?;
    let _parent = fields.next()?;
    let device = std::str::from_utf8(fields.next()?).ok()?.to_owned();
    let root = unescape(fields.next()?);
    let point = unescape(fields.next()?).into();
    let _options = fields.next()?;
    let tags: Vec<&[u8]> = fields.by_ref().take_while(|&field| field != b"-").collect();
    let fs_type = String::from_utf8_lossy(fields.next()?).into_owned();
    let tag = |prefix: &[u8]| tags.iter().find_map(|tag| number(tag.strip_prefix(prefix)?));
    Some(Mount { id, device, root, point, shared: tag(b"shared:"), master: tag(b"master:"), fs_type })
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Undoes the kernel's escapes: space, tab, newline and backslash are written as `\040` and so on.
fn unescape(field: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        match octal(rest) {
            Some(escaped) => {
                bytes.push(escaped);
                rest = &rest[4..];
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    OsString::from_vec(bytes)
}

fn octal(bytes: &[u8]) -> Option<u8> {
    let [b'\\', digits @ ..] = bytes.get(..4)? else { return None };
    digits.iter().try_fold(0u8, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(digit - b'0'),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_read_with_its_escapes_and_tags() {
        let line = br"77 31 0:4 net:[4026532177] /run/netns/a\040b\134c rw shared:12 master:3 - nsfs nsfs rw";
        assert_eq!(
            parse(line).next(),
            Some(Mount {
                id: 77,
                device: "0:4".into(),
                root: "net:[4026532177]".into(),
                point: r"/run/netns/a b\c".into(),
                shared: Some(12),
                master: Some(3),
                fs_type: "nsfs".into(),
            })
        );
    }

    #[test]
    fn only_lines_below_a_directory_are_looked_at() {
        let text = b"1 2 0:1 / /sys rw - sysfs s rw\n3 1 0:2 / /sys/fs/cgroup rw - tmpfs t rw\n4 2 0:3 / /system/x rw - tmpfs t rw";
        let points: Vec<_> = lines_below(text, "/sys").filter_map(parse_line).map(|mount| mount.point).collect();
        assert_eq!(points, [Path::new("/sys/fs/cgroup")]);
    }

    #[test]
    fn odd_lines_are_left_out_and_odd_escapes_kept() {
        assert_eq!(parse(b"\nx y\n1 2 0:1 /\n").count(), 0);
        let mount = parse(br"1 2 0:1 / /a\9 rw - tmpfs tmpfs rw").next().unwrap();
        assert_eq!(mount.point, Path::new(r"/a\9"));
        let overflow = parse(br"1 2 0:1 / /a\777 rw - tmpfs tmpfs rw").next().unwrap();
        assert_eq!(overflow.point, Path::new(r"/a\777"));
    }

    /// As the kernel writes a field.
    fn mangled(field: &[u8]) -> Vec<u8> {
        let escape = |byte: &u8| match byte {
            b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
            byte => vec![*byte],
        };
        field.iter().flat_map(escape).collect()
    }

    fn fields() -> impl Strategy<Value = Vec<u8>> {
        let telling = prop::sample::select(b" \t\n\\01347a/-".to_vec());
        prop::collection::vec(prop_oneof![3 => telling, 1 => 1..=u8::MAX], 1..20)
    }

    proptest! {
        #[test]
        fn a_line_reads_back_as_the_kernel_wrote_it(
            (id, root, point) in (any::<u64>(), fields(), fields()),
            (shared, master) in any::<(Option<u64>, Option<u64>)>(),
        ) {
            let tag = |name, group: Option<u64>| group.map(|id| format!("{name}:{id} ")).unwrap_or_default();
            let line = [
                format!("{id} 1 0:4 ").as_bytes(),
                &mangled(&root),
                b" ",
                &mangled(&point),
                format!(" rw {}{}- tmpfs tmpfs rw\n", tag("shared", shared), tag("master", master)).as_bytes(),
            ].concat();
            let mount = Mount {
                id,
                device: "0:4".into(),
                root: OsString::from_vec(root),
                point: OsString::from_vec(point).into(),
                shared,
                master,
                fs_type: "tmpfs".into(),
            };
            prop_assert_eq!(parse(&line).collect::<Vec<_>>(), [mount]);
        }

        #[test]
        fn whatever_a_line_holds_nothing_panics(bytes in fields()) {
            prop_assert!(unescape(&bytes).len() <= bytes.len());
            let _ = parse(&[b"1 2 0:1 ", &bytes[..], b" ", &bytes, b" rw - x"].concat()).count();
        }
    }
}
