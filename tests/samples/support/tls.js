// HTTPS on this machine.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A certificate of this run for its own address, which is trusted by whoever is given its `path`. */
export function certificate(workshop) {
  const [key, cert] = [workshop.path('key.pem'), workshop.path('cert.pem')];
  // No authority: rustls takes none for a server.
  const extensions = ['-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=critical,CA:FALSE'];
  const what = ['-subj', '/CN=wapid samples', ...extensions, '-days', '2'];
  const how = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync('openssl', ['req', '-x509', ...how, ...what, '-keyout', key, '-out', cert], { stdio: 'pipe' });
  return { key: readFileSync(key), cert: readFileSync(cert), path: cert };
}
