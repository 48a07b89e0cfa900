//! What links count.

use netlink_packet_route::link::Stats64;

/// What a link counted since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    /// What came in.
    pub rx: Received,
    /// What went out.
    pub tx: Sent,
    /// How often the carrier came or went.
    pub carrier_changes: Option<u32>,
}

/// What came in, in packets unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Received {
    /// The bytes of all packets.
    pub bytes: u64,
    /// All.
    pub packets: u64,
    /// Bad ones.
    pub errors: u64,
    /// Those that there was no room for.
    pub dropped: u64,
    /// Those that went to many.
    pub multicast: u64,
    /// Compressed ones.
    pub compressed: u64,
    /// Bad ones: of a wrong length.
    pub length_errors: u64,
    /// Bad ones: with a wrong checksum.
    pub crc_errors: u64,
    /// Bad ones: not aligned.
    pub frame_errors: u64,
    /// Bad ones: the queue of the hardware overran.
    pub fifo_errors: u64,
    /// Bad ones: the ring overran.
    pub over_errors: u64,
    /// Bad ones: missed by the hardware.
    pub missed_errors: u64,
    /// Those that nobody waited for.
    pub nohandler: u64,
    /// Those that were for another host.
    pub otherhost_dropped: u64,
}

/// What went out, in packets unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Sent {
    /// The bytes of all packets.
    pub bytes: u64,
    /// All.
    pub packets: u64,
    /// Those that could not be sent.
    pub errors: u64,
    /// Those that there was no room for.
    pub dropped: u64,
    /// Compressed ones.
    pub compressed: u64,
    /// How often two spoke at once.
    pub collisions: u64,
    /// Not sent: no carrier.
    pub carrier_errors: u64,
    /// Not sent: given up.
    pub aborted_errors: u64,
    /// Not sent: the queue of the hardware ran dry.
    pub fifo_errors: u64,
    /// Not sent: a collision too late.
    pub window_errors: u64,
    /// Not sent: no heartbeat.
    pub heartbeat_errors: u64,
}

impl Counters {
    pub(super) fn of(stats: &Stats64) -> Self {
        let rx = Received {
            bytes: stats.rx_bytes,
            packets: stats.rx_packets,
            errors: stats.rx_errors,
            dropped: stats.rx_dropped,
            multicast: stats.multicast,
            compressed: stats.rx_compressed,
            length_errors: stats.rx_length_errors,
            crc_errors: stats.rx_crc_errors,
            frame_errors: stats.rx_frame_errors,
            fifo_errors: stats.rx_fifo_errors,
            over_errors: stats.rx_over_errors,
            missed_errors: stats.rx_missed_errors,
            nohandler: stats.rx_nohandler,
            otherhost_dropped: stats.rx_otherhost_dropped,
        };
        let tx = Sent {
            bytes: stats.tx_bytes,
            packets: stats.tx_packets,
            errors: stats.tx_errors,
            dropped: stats.tx_dropped,
            compressed: stats.tx_compressed,
            collisions: stats.collisions,
            carrier_errors: stats.tx_carrier_errors,
            aborted_errors: stats.tx_aborted_errors,
            fifo_errors: stats.tx_fifo_errors,
            window_errors: stats.tx_window_errors,
            heartbeat_errors: stats.tx_heartbeat_errors,
        };
        Self { rx, tx, carrier_changes: None }
    }
}
