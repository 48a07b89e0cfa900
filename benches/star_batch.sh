#!/bin/sh
# The star of star_floor.c by `ip -batch`, in as few processes as ip allows: a batch cannot change its
# namespace.
#
#   star_batch.sh up N | down N      down returns when the last port is gone
set -eu
n=$2
case $1 in
up)
    {
        echo "link add sfbridge up type bridge"
        echo "addr add 10.78.255.254/16 dev sfbridge"
        for i in $(seq "$n"); do
            echo "netns add sf$i"
            echo "link add sfport$i up master sfbridge type veth peer name eth0 netns sf$i"
        done
    } | ip -batch -
    for i in $(seq "$n"); do
        ip -n "sf$i" -batch - <<BATCH
link set lo up
addr add 10.78.$((i / 250)).$((i % 250 + 2))/16 dev eth0
link set eth0 up
route add default via 10.78.255.254
BATCH
    done
    ;;
down)
    {
        for i in $(seq "$n"); do echo "netns del sf$i"; done
        echo "link del sfbridge"
    } | ip -batch -
    exec star_floor wait "$n"
    ;;
esac
