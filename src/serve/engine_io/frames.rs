//! Counts the packets in what is sent by a WebSocket (RFC 6455, section 5),
//! without keeping any of it: it looks at the headers of frames, and at the first two
//! characters of a message, which say what kind of packet it is. Whatever is not
//! allowed, the library finds. Pure.

use crate::limits::Sent;

/// The most bytes of a header: two, eight of the length and four of the mask.
const MAX_HEADER: usize = 14;

/// The opcodes of frames that carry a part of a message.
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
/// The opcode of the frame with which a client closes the connection.
const CLOSE: u8 = 8;

/// What a message begins with that connects to a namespace: `4` is a message of
/// Engine.IO, and `0` the CONNECT of Socket.IO.
const CONNECT: [u8; 2] = *b"40";

/// Reads a stream of frames, in whatever pieces it comes.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; MAX_HEADER],
    /// How much of a header is here; 0 within a payload.
    header_len: usize,
    mask: [u8; 4],
    /// Bytes of the payload that are still to come.
    rest: u64,
    /// How many bytes of the payload have come.
    offset: u64,
    /// Does the frame carry a part of a text message?
    is_text: bool,
    /// How the text message begins whose parts are being received.
    start: [u8; 2],
    start_len: usize,
    /// Has the client sent a close frame?
    has_closed: bool,
}

impl Frames {
    /// Has the client sent a close frame? One whose connection was lost has not.
    pub(super) fn has_closed(&self) -> bool {
        self.has_closed
    }

    /// Looks at the next bytes. A frame counts as a packet when its header is whole,
    /// so that empty ones and each fragment count too.
    pub(super) fn scan(&mut self, mut bytes: &[u8]) -> Sent {
        let mut sent = Sent {
            bytes: bytes.len(),
            ..Sent::default()
        };
        while !bytes.is_empty() {
            if self.rest == 0 {
                bytes = self.read_header(bytes, &mut sent);
            } else {
                let here = usize::try_from(self.rest).unwrap_or(usize::MAX);
                let (payload, later) = bytes.split_at(here.min(bytes.len()));
                self.read_payload(payload, &mut sent);
                bytes = later;
            }
        }
        sent
    }

    /// Is all that was looked at whole frames? Between two parts of a message it is too.
    pub(super) fn is_between(&self) -> bool {
        self.rest == 0 && self.header_len == 0
    }

    /// Takes what belongs to a header, and answers what comes after it.
    fn read_header<'a>(&mut self, mut bytes: &'a [u8], sent: &mut Sent) -> &'a [u8] {
        while let Some((&byte, later)) = bytes.split_first() {
            self.header[self.header_len] = byte;
            self.header_len += 1;
            bytes = later;
            if self.header_len == self.header_length() {
                self.begin_frame();
                sent.packets += 1;
                break;
            }
        }
        bytes
    }

    /// How long the header is that has begun, as far as that can be said.
    fn header_length(&self) -> usize {
        if self.header_len < 2 {
            return 2;
        }
        let extended = match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.is_masked() { 4 } else { 0 };
        2 + extended + mask
    }

    fn is_masked(&self) -> bool {
        self.header[1] & 0x80 != 0
    }

    fn begin_frame(&mut self) {
        let header = self.header;
        let (length, mask_at) = match header[1] & 0x7f {
            126 => (u64::from(u16::from_be_bytes([header[2], header[3]])), 4),
            127 => {
                let mut length = [0; 8];
                length.copy_from_slice(&header[2..10]);
                (u64::from_be_bytes(length), 10)
            }
            short => (u64::from(short), 2),
        };
        self.mask = [0; 4];
        if self.is_masked() {
            self.mask.copy_from_slice(&header[mask_at..mask_at + 4]);
        }
        match header[0] & 0x0f {
            TEXT => (self.is_text, self.start_len) = (true, 0),
            // A part of the message that has begun; of a binary one, `start` is full.
            CONTINUATION => self.is_text = true,
            opcode => {
                self.is_text = false;
                self.has_closed |= opcode == CLOSE;
                // A control frame may stand between the parts of a message.
                if opcode < 8 {
                    self.start_len = self.start.len();
                }
            }
        }
        (self.rest, self.offset, self.header_len) = (length, 0, 0);
    }

    fn read_payload(&mut self, payload: &[u8], sent: &mut Sent) {
        if self.is_text && self.start_len < self.start.len() {
            for &byte in payload.iter().take(self.start.len() - self.start_len) {
                // The position within the mask is at most 3.
                self.start[self.start_len] = byte ^ self.mask[(self.offset % 4) as usize];
                self.start_len += 1;
                self.offset += 1;
            }
            if self.start_len == self.start.len() && self.start == CONNECT {
                sent.connects += 1;
            }
        }
        self.rest -= payload.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A frame of a client.
    fn frame(is_last: bool, opcode: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
        let mut bytes = vec![if is_last { 0x80 | opcode } else { opcode }];
        let is_masked = if mask.is_some() { 0x80 } else { 0 };
        match payload.len() {
            length @ 0..126 => bytes.push(is_masked | length as u8),
            length @ 126..0x1_0000 => {
                bytes.push(is_masked | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            length => {
                bytes.push(is_masked | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(mask.iter().flatten());
        let mask = mask.unwrap_or_default();
        let masked = payload.iter().zip(mask.iter().cycle());
        bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
        bytes
    }

    const MASK: Option<[u8; 4]> = Some([0x12, 0x34, 0x56, 0x78]);

    fn text(payload: &[u8]) -> Vec<u8> {
        frame(true, TEXT, payload, MASK)
    }

    /// Packets and attempts to connect.
    fn scan(bytes: &[u8]) -> (u32, u32) {
        let sent = Frames::default().scan(bytes);
        assert_eq!(sent.bytes, bytes.len());
        (sent.packets, sent.connects)
    }

    #[test]
    fn frames_are_counted_by_kind() {
        let long = [b"42[\"", [b'x'; 70_000].as_slice(), b"\"]"].concat();
        let bytes = [
            text(b"40"),
            text(b"40{\"token\":\"t\"}"),
            text(b"40/custom,"),
            text(b"42[\"ping\"]"),
            text(b"3"),
            text(b""),
            text(&long),
            text(&[b"40", [b'x'; 300].as_slice()].concat()),
            frame(true, 9, b"40", MASK),
            frame(true, 2, b"40", MASK),
            frame(true, TEXT, b"40", None),
        ];
        assert_eq!(scan(&bytes.concat()), (11, 5));
    }

    #[test]
    fn a_goodbye_is_seen() {
        for (opcode, has_closed) in [(TEXT, false), (9, false), (10, false), (CLOSE, true)] {
            let mut frames = Frames::default();
            frames.scan(&frame(true, opcode, b"40", MASK));
            frames.scan(&text(b"3"));
            assert_eq!(frames.has_closed(), has_closed, "{opcode}");
        }
    }

    #[test]
    fn a_message_in_fragments_is_what_they_say_together() {
        let part = |is_last, opcode, payload: &[u8]| frame(is_last, opcode, payload, MASK);
        let connect = [
            part(false, TEXT, b""),
            part(false, CONTINUATION, b"4"),
            part(true, 9, b"x"),
            part(false, CONTINUATION, b""),
            part(true, CONTINUATION, b"0{}"),
        ];
        assert_eq!(scan(&connect.concat()), (5, 1));
        let binary = [part(false, 2, b"4"), part(true, CONTINUATION, b"0")];
        assert_eq!(scan(&binary.concat()), (2, 0));
        let event = [part(false, TEXT, b"42"), part(true, CONTINUATION, b"40")];
        assert_eq!(scan(&event.concat()), (2, 0));
    }

    #[test]
    fn it_is_known_where_a_frame_ends() {
        let frames = [frame(true, TEXT, b"42[]", None), text(b"3"), text(b"")].concat();
        let mut scanner = Frames::default();
        assert!(scanner.is_between());
        let ends = (1..=frames.len()).filter(|end| {
            scanner.scan(&frames[end - 1..*end]);
            scanner.is_between()
        });
        assert_eq!(ends.collect::<Vec<_>>(), [6, 13, 19]);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            messages in prop::collection::vec(
                (any::<bool>(), 0u8..11, prop::collection::vec(any::<u8>(), 0..200), any::<[u8; 4]>()),
                1..20,
            ),
            cuts in prop::collection::vec(1usize..50, 1..200),
        ) {
            let frames = messages.iter().map(|(last, opcode, payload, mask)| {
                frame(*last, *opcode, payload, Some(*mask))
            });
            let bytes: Vec<u8> = frames.flatten().collect();
            let whole = scan(&bytes);
            prop_assert_eq!(whole.0 as usize, messages.len());
            let (mut scanner, mut rest) = (Frames::default(), &bytes[..]);
            let (mut packets, mut connects) = (0, 0);
            for cut in cuts.iter().cycle() {
                let (piece, later) = rest.split_at((*cut).min(rest.len()));
                let sent = scanner.scan(piece);
                (packets, connects) = (packets + sent.packets, connects + sent.connects);
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!((packets, connects), whole);
        }

        #[test]
        fn nothing_is_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            scan(&bytes);
        }
    }
}
