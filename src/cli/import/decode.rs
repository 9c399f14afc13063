//! From the bytes of a file to text: UTF-8, or UTF-16 with a byte order mark. Anything
//! else is refused with the line in which it is met, because a guess would change names.

use std::io::{self, Read};

use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::{Fault, problem::Problem};

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// Counts lines as an editor does: they end with LF, CR LF or CR.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines {
    line: u64,
    after_cr: bool,
}

impl Lines {
    pub(super) fn new() -> Lines {
        Lines {
            line: 1,
            after_cr: false,
        }
    }

    /// The line in which the next byte is.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    pub(super) fn pass(&mut self, byte: u8) {
        match byte {
            b'\n' if self.after_cr => {}
            b'\n' | b'\r' => self.line += 1,
            _ => {}
        }
        self.after_cr = byte == b'\r';
    }
}

/// Text that comes piece by piece.
pub(super) struct Decoder<R> {
    source: R,
    decoder: encoding_rs::Decoder,
    /// What was read to find the encoding.
    first: Vec<u8>,
    bytes: Vec<u8>,
    lines: Lines,
    is_over: bool,
}

impl<R: Read> Decoder<R> {
    pub(super) fn new(mut source: R) -> Result<Decoder<R>, Fault> {
        let mut first = Vec::new();
        source.by_ref().take(8).read_to_end(&mut first)?;
        if first.starts_with(b"PK\x03\x04") {
            return Err(Fault::Form(
                "this is a workbook or another archive: give it a name that ends in .xlsx, or save \
                 it as CSV UTF-8",
            ));
        }
        if first.starts_with(b"\xd0\xcf\x11\xe0") {
            return Err(Fault::Form(
                "this is a workbook of an old kind: save it as .xlsx, or as CSV UTF-8",
            ));
        }
        let encoding = Encoding::for_bom(&first);
        let (encoding, mark) = encoding.unwrap_or((UTF_8, 0));
        debug_assert!([UTF_8, UTF_16LE, UTF_16BE].contains(&encoding));
        first.drain(..mark);
        Ok(Decoder {
            source,
            decoder: encoding.new_decoder_without_bom_handling(),
            first,
            bytes: vec![0; CHUNK],
            lines: Lines::new(),
            is_over: false,
        })
    }

    /// Adds the next piece of UTF-8 to `text`, which is never empty; `false` if there is
    /// none.
    pub(super) fn next(&mut self, text: &mut Vec<u8>) -> Result<bool, Fault> {
        let start = text.len();
        // A piece may hold less than a letter.
        while text.len() == start && !self.is_over {
            self.decode(text)?;
        }
        Ok(text.len() > start)
    }

    fn decode(&mut self, text: &mut Vec<u8>) -> Result<(), Fault> {
        let read = if self.first.is_empty() {
            read(&mut self.source, &mut self.bytes)?
        } else {
            self.bytes[..self.first.len()].copy_from_slice(&self.first);
            self.first.drain(..).len()
        };
        self.is_over = read == 0;
        let start = text.len();
        let most = self
            .decoder
            .max_utf8_buffer_length_without_replacement(read);
        text.resize(start + most.unwrap_or(4 * read + 16), 0);
        let (result, _, written) = self.decoder.decode_to_utf8_without_replacement(
            &self.bytes[..read],
            &mut text[start..],
            self.is_over,
        );
        text.truncate(start + written);
        for byte in &text[start..] {
            if *byte == 0 {
                return Err(self.problem(
                    "holds a zero byte, so this is no text that Podium can read: save it as CSV \
                     UTF-8",
                ));
            }
            self.lines.pass(*byte);
        }
        match result {
            DecoderResult::InputEmpty => Ok(()),
            // The room was made for all of it.
            DecoderResult::Malformed(..) | DecoderResult::OutputFull => Err(self.problem(
                "has letters that are not UTF-8: save the file as CSV UTF-8 (in Excel: Save as, \
                 CSV UTF-8)",
            )),
        }
    }

    fn problem(&self, what: &str) -> Fault {
        Fault::Problem(Problem::of_line(self.lines.line(), what))
    }
}

/// Reads some bytes, however often it is interrupted.
fn read(source: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
