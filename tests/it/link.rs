//! veth and link show.

use super::support::World;

#[test]
fn one_line_wires_a_pair_that_answers_at_once() {
    let world = World::new();
    world.ok("add test_ns");
    world.ok("veth veth0=10.0.0.1/24 test_ns:veth1=10.0.0.2/24");
    world.sh("ping -c1 -W2 10.0.0.2; $NSNET exec test_ns ping -c1 -W2 10.0.0.1");
}
