// A small file of each kind that the page sends.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const PICTURE = ['-f', 'lavfi', '-i', 'testsrc=size=64x48:rate=5:duration=1'];
const SOUND = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=1'];

/** `{ kind: { extension, mime, bytes } }`, made by ffmpeg in the workshop. */
export function smallFiles(workshop) {
  const made = (extension, ...how) => {
    const path = workshop.path(`made.${extension}`);
    execFileSync('ffmpeg', ['-v', 'error', ...how, path], { stdio: 'pipe' });
    return readFileSync(path);
  };
  return {
    image: { extension: 'jpg', mime: 'image/jpeg', bytes: made('jpg', ...PICTURE, '-frames:v', '1') },
    video: { extension: 'mp4', mime: 'video/mp4', bytes: made('mp4', ...PICTURE, '-pix_fmt', 'yuv420p') },
    document: { extension: 'pdf', mime: 'application/pdf', bytes: pdf() },
    audio: { extension: 'mp3', mime: 'audio/mpeg', bytes: made('mp3', ...SOUND) },
  };
}

/** One empty page. In base64 it begins as the page's own: `JVBERi0xLjQ`. */
function pdf() {
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 72 72] >>',
  ];
  let text = '%PDF-1.4\n';
  const places = objects.map((object, at) => {
    const place = text.length;
    text += `${at + 1} 0 obj\n${object}\nendobj\n`;
    return place;
  });
  const table = places.map((place) => `${String(place).padStart(10, '0')} 00000 n \n`).join('');
  const size = objects.length + 1;
  const trailer = `trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${text.length}\n%%EOF\n`;
  return Buffer.from(`${text}xref\n0 ${size}\n0000000000 65535 f \n${table}${trailer}`);
}
