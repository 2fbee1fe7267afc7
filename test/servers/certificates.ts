import { setDefaultCACertificates } from 'node:tls'
import type { Certificate } from '../../probes/helper/certificate.ts'

/** Tests need no openssl, no files and no date in the future. */
export { type Certificate, certificate } from '../../probes/helper/certificate.ts'

/** Let this process trust a root as it trusts the public ones. Before its first handshake. */
export const trust = (root: Certificate): void => setDefaultCACertificates([root.pem])
