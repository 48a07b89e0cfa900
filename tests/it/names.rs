//! Names: add, del, list, attach, rename, prune.

use super::support::World;

#[test]
fn lo_is_up_at_once() {
    let world = World::new();
    world.ok("add test_ns");
    world.ok("exec test_ns ping -c1 -W2 127.0.0.1");
}
