//! What a descriptor stands for.

use crate::state::State;

/// What a descriptor stands for.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// Nothing: the operation is not one on a descriptor, or the descriptor was not open.
    None = 0,
    /// A regular file or a directory.
    File = 1,
    /// A block device.
    BlockDevice = 2,
    /// A character device that is not a terminal.
    Device = 3,
    /// A terminal.
    Terminal = 4,
    /// A network socket.
    Socket = 5,
    /// A socket to processes of the same host: Unix, netlink, vsock.
    LocalSocket = 6,
    /// A pipe or FIFO.
    Pipe = 7,
    /// An eventfd, timerfd, signalfd, epoll, inotify, io_uring, …
    Event = 8,
}

impl ObjectKind {
    /// The kind with the given discriminant.
    pub fn from_u8(value: u8) -> Option<Self> {
        const ALL: [ObjectKind; 9] = [
            ObjectKind::None,
            ObjectKind::File,
            ObjectKind::BlockDevice,
            ObjectKind::Device,
            ObjectKind::Terminal,
            ObjectKind::Socket,
            ObjectKind::LocalSocket,
            ObjectKind::Pipe,
            ObjectKind::Event,
        ];
        ALL.get(usize::from(value)).copied()
    }

    /// What a thread waits for that waits for such a thing.
    #[inline(always)]
    pub fn state(self) -> State {
        match self {
            Self::None => State::Blocked,
            Self::File | Self::BlockDevice => State::Disk,
            Self::Socket => State::Network,
            Self::LocalSocket | Self::Pipe => State::Ipc,
            // Somebody will type.
            Self::Device | Self::Terminal | Self::Event => State::Events,
        }
    }
}
