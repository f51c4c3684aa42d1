//! What ffmpeg does, where the machine has it: any sound as a voice note (mono Opus in Ogg) with its waveform,
//! and a small picture of a video.
//!
//! ffmpeg reads what strangers made: it gets one file, told by content which kind it is (so that it follows
//! no playlist), no environment of ours, one thread, and a deadline after which it is killed.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use wapid_core::media::VOICE;

use super::draft::Draft;
use super::inspect::THUMBNAIL_MAX;
use super::waveform::{self, Ear, Heard};

/// For one file.
const WITHIN: Duration = Duration::from_secs(60);
/// To say that it is there.
const LOOK: Duration = Duration::from_secs(10);
/// In seconds; nobody speaks longer into a phone.
const LENGTH_MAX: &str = "14400";
/// Of one allocation, in bytes.
const MEMORY_MAX: &str = "67108864";
/// The first sound of a file, in one channel.
const SOUND: [&str; 6] = ["-map", "0:a:0", "-t", LENGTH_MAX, "-ac", "1"];
/// The first picture of a video, small, as a JPEG.
const FRAME: [&str; 10] = [
    "-map",
    "0:v:0",
    "-frames:v",
    "1",
    "-vf",
    "scale=96:96:force_original_aspect_ratio=decrease",
    "-c:v",
    "mjpeg",
    "-f",
    "image2pipe",
];
/// As WhatsApp's own.
const RATE: &str = "48000";
const BITS: &str = "32k";
/// What a program needs to find its libraries.
const ENVIRONMENT: [&str; 2] = ["PATH", "LD_LIBRARY_PATH"];

/// The program.
pub struct Ffmpeg {
    program: String,
    is_there: OnceCell<bool>,
}

/// Nothing could be read, or not in time.
#[derive(Debug)]
pub enum Unusable {
    Nothing,
    Io(io::Error),
}

impl From<io::Error> for Unusable {
    fn from(problem: io::Error) -> Self {
        Self::Io(problem)
    }
}

impl Ffmpeg {
    pub fn new(program: String) -> Self {
        Self { program, is_there: OnceCell::new() }
    }

    /// Whether it is there and can write Opus; looked up once.
    pub async fn is_there(&self) -> bool {
        *self
            .is_there
            .get_or_init(async || {
                let mut command = self.command();
                command.args(["-h", "encoder=libopus"]).stdin(Stdio::null()).stdout(Stdio::piped());
                let said = timeout(LOOK, command.output()).await;
                let said = said.ok().and_then(Result::ok).filter(|said| said.status.success());
                said.is_some_and(|said| String::from_utf8_lossy(&said.stdout).contains("Encoder libopus"))
            })
            .await
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear();
        command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.args(["-hide_banner", "-v", "quiet"]).stderr(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Reading `plain`, a file of type `mime`.
    fn reading(&self, mime: &str, mut plain: File) -> Result<Command, Unusable> {
        let format = format_of(mime).ok_or(Unusable::Nothing)?;
        plain.rewind()?;
        let mut command = self.command();
        command
            .args(["-nostdin", "-threads", "1", "-max_alloc", MEMORY_MAX, "-protocol_whitelist", "file,pipe"])
            // By its name, not as a pipe: some formats are read from their end.
            .args(["-f", format, "-i", "file:/dev/stdin"])
            .args(["-map_metadata", "-1"])
            .stdin(Stdio::from(plain))
            .stdout(Stdio::piped());
        Ok(command)
    }

    /// Writes a voice note of `plain` into `draft`.
    ///
    /// # Errors
    /// When there is no sound in it, or it takes too long.
    pub async fn speak(&self, mime: &str, plain: File, draft: Draft) -> Result<Draft, Unusable> {
        let mut command = self.reading(mime, plain)?;
        command.args(SOUND).args([
            "-c:a",
            "libopus",
            "-b:a",
            BITS,
            "-ar",
            RATE,
            "-application",
            "voip",
            "-f",
            "ogg",
            "pipe:1",
        ]);
        let draft = run(command, draft, |draft, bytes| draft.write_all(bytes)).await?;
        if draft.size() == 0 { Err(Unusable::Nothing) } else { Ok(draft) }
    }

    /// Hears all of `plain`.
    ///
    /// # Errors
    /// When there is no sound in it, or it takes too long.
    pub async fn listen(&self, mime: &str, plain: File) -> Result<Heard, Unusable> {
        let mut command = self.reading(mime, plain)?;
        command.args(SOUND).args(["-ar", &waveform::RATE.to_string(), "-f", "s16le", "pipe:1"]);
        let ear = run(command, Ear::default(), |ear, bytes| {
            ear.hear(bytes);
            Ok(())
        })
        .await?;
        ear.heard().ok_or(Unusable::Nothing)
    }

    /// A small JPEG of a video's beginning.
    ///
    /// # Errors
    /// When there is no picture in it, or it takes too long.
    pub async fn frame(&self, mime: &str, plain: File) -> Result<Vec<u8>, Unusable> {
        let mut command = self.reading(mime, plain)?;
        command.args(FRAME).arg("pipe:1");
        let jpeg = run(command, Vec::new(), |jpeg, bytes| {
            jpeg.extend_from_slice(bytes);
            if jpeg.len() > THUMBNAIL_MAX { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(()) }
        })
        .await?;
        if jpeg.is_empty() { Err(Unusable::Nothing) } else { Ok(jpeg) }
    }
}

/// Which demuxer reads a type.
fn format_of(mime: &str) -> Option<&'static str> {
    Some(match mime {
        VOICE | "audio/ogg" => "ogg",
        "audio/mpeg" => "mp3",
        "audio/mp4" | "video/mp4" | "video/3gpp" | "video/quicktime" => "mov",
        "audio/aac" => "aac",
        "audio/amr" => "amr",
        "audio/wav" => "wav",
        "audio/flac" => "flac",
        "audio/webm" => "matroska",
        _ => return None,
    })
}

/// Runs a command to its end and gives `take` all that it writes, on threads that may block.
async fn run<T: Send + 'static>(
    mut command: Command,
    taker: T,
    take: fn(&mut T, &[u8]) -> io::Result<()>,
) -> Result<T, Unusable> {
    let mut child = command.spawn()?;
    let ended = timeout(WITHIN, to_the_end(&mut child, taker, take)).await;
    if ended.is_err() {
        child.kill().await?;
    }
    ended.unwrap_or(Err(Unusable::Nothing))
}

async fn to_the_end<T: Send + 'static>(
    child: &mut Child,
    mut taker: T,
    take: fn(&mut T, &[u8]) -> io::Result<()>,
) -> Result<T, Unusable> {
    let mut out = child.stdout.take().ok_or(Unusable::Nothing)?;
    loop {
        let piece = read_piece(&mut out).await?;
        if piece.is_empty() {
            break;
        }
        let work = move || take(&mut taker, &piece).map(|()| taker);
        taker = tokio::task::spawn_blocking(work).await.map_err(io::Error::other)??;
    }
    if child.wait().await?.success() { Ok(taker) } else { Err(Unusable::Nothing) }
}

async fn read_piece(out: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    const PIECE: u64 = 64 << 10;
    let mut piece = Vec::new();
    out.take(PIECE).read_to_end(&mut piece).await?;
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_is_not_there_is_not_there() {
        assert!(!Ffmpeg::new("/nowhere/ffmpeg".into()).is_there().await);
        assert!(!Ffmpeg::new("true".into()).is_there().await);
    }
}
