// A gateway that may reach this machine, and the commands of its operator.

import { Gateway, ask } from '../../support/wapid.js';

/** A gateway that may reach this machine, by HTTPS too where the certificate at `trusted` is the only good one. */
export const openGateway = (trusted) =>
  Gateway.start(undefined, { WAPID_SSRF_ALLOW: '127.0.0.1', ...(trusted && { SSL_CERT_FILE: trusted }) });

/** What a command of this gateway's operator answers. */
export const operate = (gateway, ...args) => ask([...args, '--json'], gateway.settings);
