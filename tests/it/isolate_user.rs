//! `isolate` with user namespaces: who is who inside, and what is said where the system denies it.

use crate::support::{World, is_real_root};

#[test]
fn the_caller_is_root_or_who_they_are() {
    let world = World::new();
    let ids = "id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '";
    let caller: Vec<_> = world.sh("id -u; id -g").lines().map(str::to_owned).collect();
    let (uid, gid) = (&caller[0], &caller[1]);
    let root = world.sh(&format!("$NSNET isolate --map-root sh -c \"{ids}\""));
    assert_eq!(root, format!("0\n0\n 0 {uid} 1\n 0 {gid} 1\n"));
    let current = world.sh(&format!("$NSNET isolate --map-current sh -c \"{ids}\""));
    assert_eq!(current, format!("{uid}\n{gid}\n {uid} {uid} 1\n {gid} {gid} 1\n"));
    assert_eq!(world.sh("$NSNET isolate --user id -u"), world.sh("cat /proc/sys/kernel/overflowuid"));
    assert_eq!(world.sh("$NSNET isolate --map-root sh -c 'mount -t tmpfs t /mnt && ip link add v0 type veth peer name v1 && echo able'"), "able\n");
}

#[test]
fn ranges_are_mapped_as_they_are_written() {
    let world = World::new();
    if is_real_root() {
        let out = world.sh("$NSNET isolate --map-users 0:100000:1000 --map-groups 0:200000:1000 sh -c 'id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map | tr -s \" \"; \
                            touch /run/file'; stat -c '%u %g' /run/file 2>/dev/null || :");
        assert!(out.starts_with("0\n0\n 0 100000 1000\n 0 200000 1000\n"), "{out}");
        let both = world.sh("$NSNET isolate --map-root --map-users 5:500:2 --map-groups 7:700:2 sh -c 'cat /proc/self/uid_map /proc/self/gid_map | tr -s \" \"'");
        assert_eq!(both, " 0 0 1\n 5 500 2\n 0 0 1\n 7 700 2\n");
        // The file of the host, or one of our own where it may be replaced.
        let auto = world.sh("printf 'root:100000:65536\\n' > /run/subid; mount --bind /run/subid /etc/subuid; mount --bind /run/subid /etc/subgid; \
                             $NSNET isolate --map-auto cat /proc/self/uid_map | tr -s ' '");
        assert_eq!(auto, " 0 0 1\n 1 100000 65536\n");
        let error = world.shell("printf 'nobody:1:1\\n' > /run/subid; $NSNET isolate --map-auto true").fails(125);
        assert!(error.contains("'/etc/subuid'") && error.contains("it has none for 'root'"), "{error}");
    } else {
        // Only root of the user namespace is there.
        let error = world.fails(125, "isolate --map-users 0:5:1 true");
        assert!(error.contains("cannot write 'uid_map' of the new namespace"), "{error}");
    }
}

#[test]
fn groups_can_be_given_up_or_not() {
    let world = World::new();
    let setgroups = |options: &str| world.sh(&format!("$NSNET isolate {options} cat /proc/self/setgroups"));
    assert_eq!(setgroups("--map-root --setgroups deny"), "deny\n");
    if is_real_root() {
        assert_eq!(setgroups("--map-root"), "allow\n");
    }
}

/// Limits are per user namespace: this one is made for the test.
#[test]
fn what_denies_is_named() {
    let world = World::new();
    for (kind, option) in
        [("net", "--net"), ("user", "--user"), ("mnt", "--mount"), ("uts", "--uts"), ("time", "--time")]
    {
        let script = format!("echo 0 > /proc/sys/user/max_{kind}_namespaces; exec $NSNET isolate {option} true");
        let mut command = world.command("unshare");
        command.args(["--user", "--map-root-user", "sh", "-c", &script]);
        let error = crate::support::run(command).fails(125);
        assert!(error.contains(&format!("the limit user.max_{kind}_namespaces is 0")), "{error}");
        assert!(error.contains("No space left on device"), "{error}");
    }
    // An ordinary user, who has no user namespace to be root of.
    if is_real_root() {
        world.sh("cp $NSNET /run/nsnet; chmod 755 /run/nsnet");
        let as_nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --";
        let error = world.shell(&format!("{as_nobody} /run/nsnet isolate true")).fails(125);
        assert!(error.contains("'--map-root' makes one"), "{error}");
        assert_eq!(world.sh(&format!("{as_nobody} /run/nsnet isolate --map-root id -u")), "0\n");
        let all = format!(
            "{as_nobody} /run/nsnet isolate --all --map-root --hostname box --init --boottime 9 sh -c 'hostname; ping -qc1 127.0.0.1 >/dev/null; echo $?'"
        );
        assert_eq!(world.sh(&all), "box\n0\n");
        let error = world.shell(&format!("{as_nobody} /run/nsnet isolate --map-root --veth h0 i0 true")).fails(125);
        assert!(
            error.contains("CAP_NET_ADMIN over the namespace of the outer end")
                || error.contains("Operation not permitted"),
            "{error}"
        );
        let error = world
            .shell(&format!("{as_nobody} env PATH=/nonexistent /run/nsnet isolate --map-users 0:5:10 /bin/true"))
            .fails(125);
        assert!(error.contains("'newuidmap'") && error.contains("package uidmap"), "{error}");
    }
}

/// As a container hides parts of it: the kernel then allows no new one to a user namespace.
#[test]
fn a_masked_proc_is_named() {
    let world = World::new();
    let mut command = world.command("unshare");
    let script =
        "mount -t tmpfs t /proc/scsi 2>/dev/null || mount -t tmpfs t /proc/fs; exec $NSNET isolate --map-root true";
    command.args(["--mount", "--propagation", "private", "sh", "-c", script]);
    let error = crate::support::run(command).fails(125);
    assert!(error.contains("cannot mount '/proc'") && error.contains("'--no-proc' does without"), "{error}");
}
