//! Which write-ahead log a file is: SQLite writes new salts into its header whenever it
//! begins the log again.

use std::fmt;

/// The size of the header of a write-ahead log.
pub(super) const WAL_HEADER: usize = 32;

/// Which write-ahead log it is, by the salts in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WalId {
    salts: [u32; 2],
}

impl WalId {
    /// From the header of a write-ahead log; `None` if it is not one.
    pub(super) fn of_header(header: &[u8; WAL_HEADER]) -> Option<WalId> {
        let word = |at: usize| {
            let bytes = [header[at], header[at + 1], header[at + 2], header[at + 3]];
            u32::from_be_bytes(bytes)
        };
        // The last bit is the order of bytes in its checksums.
        (word(0) & !1 == 0x377f_0682).then(|| WalId {
            salts: [word(16), word(20)],
        })
    }

    /// From its text.
    pub(super) fn parse(text: &str) -> Option<WalId> {
        let salts = u64::from_str_radix(text, 16).ok()?;
        (text.len() == 16).then_some(WalId {
            salts: [(salts >> 32) as u32, salts as u32],
        })
    }
}

impl fmt::Display for WalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b] = self.salts;
        write!(f, "{a:08x}{b:08x}")
    }
}
