//! Base64 as people send it: with or without line ends and padding, of either alphabet, as a `data:` URL.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use super::Refusal;

/// Characters that are decoded at a time: 48 KiB of bytes.
const PIECE: usize = 64 << 10;

const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A text, and the type that a `data:` URL gives it.
pub struct Text {
    text: String,
    start: usize,
    pub mime: Option<String>,
}

impl Text {
    /// # Errors
    /// When it is a `data:` URL of something else.
    pub fn new(text: String) -> Result<Self, Refusal> {
        if !is_data_url(&text) {
            return Ok(Self { text, start: 0, mime: None });
        }
        let comma = text.find(',').ok_or(Refusal::NotBase64)?;
        let (_, head) = text[..comma].split_once(':').ok_or(Refusal::NotBase64)?;
        let (mime, end) = head.rsplit_once(';').ok_or(Refusal::NotBase64)?;
        if !end.trim().eq_ignore_ascii_case("base64") {
            return Err(Refusal::NotBase64);
        }
        let mime = (!mime.trim().is_empty()).then(|| mime.trim().to_owned());
        Ok(Self { start: comma + 1, mime, text })
    }

    /// No file of it is larger.
    pub fn size_max(&self) -> u64 {
        (self.text.len() - self.start) as u64 / 4 * 3 + 3
    }

    /// Its bytes, one piece after the other.
    pub fn pieces(self) -> impl Iterator<Item = Result<Bytes, Refusal>> + Send {
        let mut at = self.start;
        std::iter::from_fn(move || {
            let mut piece = Vec::with_capacity(PIECE);
            let rest = &self.text.as_bytes()[at..];
            let mut read = 0;
            for byte in rest {
                read += 1;
                match byte {
                    b'-' => piece.push(b'+'),
                    b'_' => piece.push(b'/'),
                    byte if byte.is_ascii_whitespace() => {}
                    byte => piece.push(*byte),
                }
                if piece.len() == PIECE {
                    break;
                }
            }
            at += read;
            if piece.is_empty() {
                return None;
            }
            // What follows padding is not looked at by any decoder, but it is something.
            let is_last = self.text.as_bytes()[at..].iter().all(u8::is_ascii_whitespace);
            if !is_last && piece.contains(&b'=') {
                return Some(Err(Refusal::NotBase64));
            }
            Some(ANY_PADDING.decode(&piece).map(Bytes::from).map_err(|_| Refusal::NotBase64))
        })
    }
}

/// A file in a URL. Schemes have no case.
pub fn is_data_url(text: &str) -> bool {
    text.trim_start().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

    fn decoded(text: &str) -> Option<Vec<u8>> {
        let pieces: Result<Vec<Bytes>, _> = Text::new(text.to_owned()).ok()?.pieces().collect();
        Some(pieces.ok()?.concat())
    }

    #[test]
    fn every_spelling_is_read() {
        let plain: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
        for cut in [200_000, 199_999, 199_998, 49_152, 49_153, 98_304, 2, 1, 0] {
            let plain = &plain[..cut];
            let text = BASE64_STANDARD.encode(plain);
            let lines =
                text.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>();
            for spelling in [
                text.clone(),
                text.trim_end_matches('=').to_owned(),
                lines.join("\r\n"),
                BASE64_URL_SAFE_NO_PAD.encode(plain),
                format!("data:image/png;base64,{text}"),
                format!("data:;base64,{text}\n"),
            ] {
                assert!(
                    decoded(&spelling).as_deref() == Some(plain),
                    "{cut}: {}",
                    &spelling[..spelling.len().min(40)]
                );
            }
        }
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        for text in
            ["!", "a", "abc$", "ab=c", "YQ==YQ==", "data:text/plain,hello", "data:image/png;base64", "ü"]
        {
            assert_eq!(decoded(text), None, "{text}");
        }
        let late = format!("{}=={}", "A".repeat(70_002), "A".repeat(70_000));
        assert_eq!(decoded(&late), None);
    }

    #[test]
    fn a_data_url_gives_the_type() {
        assert_eq!(Text::new("data:image/png;base64,AA".into()).unwrap().mime.as_deref(), Some("image/png"));
        assert_eq!(Text::new("data:;base64,AA".into()).unwrap().mime, None);
        assert_eq!(Text::new("AA".into()).unwrap().mime, None);
    }
}
