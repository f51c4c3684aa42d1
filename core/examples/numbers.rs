//! Reads numbers as every door of the gateway does, so that other people's libraries can be asked about the
//! same texts: `tests/numbers` compares it with Google's.
//!
//! Each line of the input is a home country, or nothing, and a text, parted by a tab. Each line of the output
//! is the number's digits and whether it is refused: `919876543210`, or `! ` and why.

use std::io::{BufRead, BufWriter, Write};

use wapid_core::phone::{Country, Phone};

fn main() -> std::io::Result<()> {
    let mut output = BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (home, text) = line.split_once('\t').unwrap_or(("", &line));
        match Phone::parse(text, Country::parse(home).ok()) {
            Ok(phone) => writeln!(output, "{}", phone.digits())?,
            Err(why) => writeln!(output, "! {why}")?,
        }
    }
    output.flush()
}
