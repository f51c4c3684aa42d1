//! Voice notes, with ffmpeg and without.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{MEDIA, noise};
use crate::app::{Engine, TestApp};

/// A tone of three seconds that grows louder, as a file of that kind.
fn tone(arguments: &[&str]) -> Vec<u8> {
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "sine=frequency=300:duration=3,volume='t/3':eval=frame"])
        .args(arguments)
        .arg("pipe:1")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("ffmpeg is installed; `./test` installs it");
    assert!(made.status.success(), "ffmpeg made nothing of {arguments:?}");
    made.stdout
}

fn wav() -> Vec<u8> {
    tone(&["-f", "wav"])
}

fn opus() -> Vec<u8> {
    tone(&["-c:a", "libopus", "-ac", "1", "-f", "ogg"])
}

fn is_a_voice_note(media: &Value) {
    assert_eq!((&media["type"], &media["mimeType"]), (&json!("voice"), &json!("audio/ogg; codecs=opus")));
    assert_eq!(media["seconds"], 3, "{media}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_sound_becomes_a_voice_note() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    for (what, file) in [
        ("wav", wav()),
        ("mp3", tone(&["-f", "mp3"])),
        ("flac", tone(&["-f", "flac"])),
        ("aac", tone(&["-f", "adts"])),
        ("webm", tone(&["-c:a", "libopus", "-f", "webm"])),
        ("stereo", tone(&["-c:a", "libopus", "-ac", "2", "-f", "ogg"])),
        // Its index is at its end: it cannot be read as a stream.
        ("m4a", {
            let dir = tempfile::tempdir().expect("a folder");
            let path = dir.path().join("tone.m4a");
            tone(&["-y", path.to_str().expect("UTF-8"), "-f", "wav"]);
            std::fs::read(&path).expect("a file")
        }),
    ] {
        let answer = shop.test.upload("?type=voice", "", file.clone()).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text);
        let media = answer.ok();
        is_a_voice_note(&media);
        let note = shop.test.content(&media).await;
        assert!(
            note.starts_with(b"OggS") && note[28..].starts_with(b"OpusHead\x01\x01"),
            "{what}: mono Opus"
        );
        assert!(note.len() < 40_000, "{what}: {} bytes", note.len());
        is_waveform(&app, &media).await;
    }
}

/// It grows louder.
async fn is_waveform(app: &TestApp, media: &Value) {
    let id = wapid_core::id::MediaId::parse(media["mediaId"].as_str().expect("an id")).expect("an id");
    let (tenant, mode) = app.gateway().store.media_owner(&id).await.expect("a store").expect("it is there");
    let row =
        app.gateway().store.tenant(tenant, mode).media(&id).await.expect("a store").expect("it is there");
    let waveform = row.waveform.expect("a waveform");
    assert_eq!(waveform.len(), 64);
    assert!(waveform[5] < 20 && waveform[60] > 80, "{waveform:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_a_voice_note_already_stays_as_it_is() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let file = opus();
    let media = shop.test.upload("?type=voice", "audio/ogg; codecs=opus", file.clone()).await.ok();
    is_a_voice_note(&media);
    assert!(shop.test.content(&media).await == file);
    is_waveform(&app, &media).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_ffmpeg_a_voice_note_is_taken_and_another_sound_says_what_is_missing() {
    let app = TestApp::with(Engine::Sqlite, |config| config.ffmpeg = "/nowhere/ffmpeg".to_owned()).await;
    let shop = app.tenant("shop").await;
    let refused = shop.test.upload("?type=voice", "audio/wav", wav()).await;
    let said = refused.refused(400, "VOICE_NEEDS_FFMPEG");
    assert!(said["error"].as_str().expect("text").contains("apt-get install ffmpeg"), "{said}");
    let file = opus();
    let media = shop.test.upload("?type=voice", "", file.clone()).await.ok();
    is_a_voice_note(&media);
    assert!(shop.test.content(&media).await == file);
    // As a file of sound it needs nothing.
    let media = shop.test.upload("?type=audio", "", tone(&["-f", "mp3"])).await.ok();
    assert_eq!((&media["type"], &media["mimeType"]), (&json!("audio"), &json!("audio/mpeg")));
    assert!((3..=4).contains(&media["seconds"].as_i64().expect("seconds")), "{media}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_holds_no_sound_is_refused() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let mut silent = b"RIFF\xff\xff\xff\x7fWAVEfmt ".to_vec();
    silent.extend_from_slice(&noise(50_000));
    let mut broken = opus();
    broken.truncate(200);
    broken.extend_from_slice(&noise(20_000));
    // A playlist would have ffmpeg read other files: its content is no sound.
    let playlist = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n".to_vec();
    for (what, file, codes) in [
        ("noise in WAV", silent, &["VOICE_NOT_READABLE"][..]),
        ("noise in Ogg", broken, &["VOICE_NOT_READABLE", "MEDIA_DAMAGED"]),
        ("a playlist", playlist, &["MEDIA_TYPE_NOT_ALLOWED"]),
    ] {
        let answer = shop.test.upload("?type=voice", "", file).await;
        assert!(codes.contains(&answer.code().as_str()), "{what}: {}", answer.text);
    }
    assert_eq!(shop.test.get(MEDIA).await.ok()["media"], json!([]));
}
