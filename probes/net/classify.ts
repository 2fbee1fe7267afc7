import type { KnownFailure } from '../../measurement/failure.ts'

/** Network trouble with a name: thrown inside `probes/net` and by parsers of answers, and turned into a Step's `failure` there. */
export class Failed extends Error {
  readonly failure: KnownFailure
  /** HTTP status, DNS rcode or transport error that came with it. */
  readonly code: number | undefined
  constructor(failure: KnownFailure, code?: number) {
    super(failure)
    this.failure = failure
    this.code = code
  }
}

/** Errors of sockets, of the system resolver, of c-ares and of OpenSSL, by `code`. */
const byCode: Record<string, KnownFailure> = {
  ECONNREFUSED: 'connection_refused',
  ECONNRESET: 'connection_reset',
  EPIPE: 'connection_reset',
  ECONNABORTED: 'connection_aborted',
  ENOTCONN: 'connection_already_closed',
  ESHUTDOWN: 'connection_already_closed',
  EBADF: 'connection_already_closed',
  ERR_STREAM_DESTROYED: 'connection_already_closed',
  ERR_STREAM_WRITE_AFTER_END: 'connection_already_closed',
  ERR_SOCKET_CLOSED: 'connection_already_closed',
  EHOSTUNREACH: 'host_unreachable',
  EHOSTDOWN: 'host_unreachable',
  ENONET: 'network_down',
  ENETDOWN: 'network_down',
  ENETUNREACH: 'network_unreachable',
  // Linux answers EINVAL where a blackhole route holds the address.
  EINVAL: 'network_unreachable',
  EADDRNOTAVAIL: 'network_unreachable',
  EAFNOSUPPORT: 'address_family_missing',
  EPROTONOSUPPORT: 'address_family_missing',
  ESOCKTNOSUPPORT: 'address_family_missing',
  ETIMEDOUT: 'generic_timeout_error',
  EOF: 'eof_error',
  ECANCELED: 'interrupted',
  ABORT_ERR: 'interrupted',
  EACCES: 'permission_denied',
  EPERM: 'permission_denied',
  EMFILE: 'agent_out_of_resources',
  ENFILE: 'agent_out_of_resources',
  ENOMEM: 'agent_out_of_resources',
  ENOBUFS: 'agent_out_of_resources',
  EADDRINUSE: 'agent_out_of_resources',
  EAGAIN: 'agent_out_of_resources',
  EAI_MEMORY: 'agent_out_of_resources',
  // getaddrinfo. Node gives ENOTFOUND for EAI_NONAME and EAI_NODATA both.
  ENOTFOUND: 'dns_nxdomain_error',
  EAI_NONAME: 'dns_nxdomain_error',
  EAI_NODATA: 'dns_no_answer',
  EAI_ADDRFAMILY: 'dns_no_answer',
  EAI_AGAIN: 'dns_temporary_failure',
  EAI_FAIL: 'dns_non_recoverable_failure',
  EAI_CANCELED: 'interrupted',
  EAI_FAMILY: 'address_family_missing',
  // c-ares, which asks for TXT.
  ENODATA: 'dns_no_answer',
  ESERVFAIL: 'dns_servfail_error',
  EREFUSED: 'dns_refused_error',
  EFORMERR: 'dns_server_misbehaving',
  EBADRESP: 'dns_server_misbehaving',
  EBADNAME: 'dns_server_misbehaving',
  ENOTIMP: 'dns_server_misbehaving',
  ETIMEOUT: 'generic_timeout_error',
  ECANCELLED: 'interrupted',
  EDESTRUCTION: 'interrupted',
  // Certificates, OpenSSL's names (node:tls documentation, "X509 certificate error codes").
  UNABLE_TO_GET_ISSUER_CERT: 'ssl_unknown_authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'ssl_unknown_authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'ssl_unknown_authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'ssl_unknown_authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'ssl_unknown_authority',
  CERT_UNTRUSTED: 'ssl_unknown_authority',
  CERT_REJECTED: 'ssl_unknown_authority',
  ERR_TLS_CERT_ALTNAME_INVALID: 'ssl_invalid_hostname',
  ERR_TLS_CERT_ALTNAME_FORMAT: 'ssl_invalid_certificate',
  HOSTNAME_MISMATCH: 'ssl_invalid_hostname',
  CERT_HAS_EXPIRED: 'ssl_invalid_certificate',
  CERT_NOT_YET_VALID: 'ssl_invalid_certificate',
  CERT_REVOKED: 'ssl_invalid_certificate',
  CERT_SIGNATURE_FAILURE: 'ssl_invalid_certificate',
  CERT_CHAIN_TOO_LONG: 'ssl_invalid_certificate',
  ERROR_IN_CERT_NOT_BEFORE_FIELD: 'ssl_invalid_certificate',
  ERROR_IN_CERT_NOT_AFTER_FIELD: 'ssl_invalid_certificate',
  INVALID_CA: 'ssl_invalid_certificate',
  PATH_LENGTH_EXCEEDED: 'ssl_invalid_certificate',
  INVALID_PURPOSE: 'ssl_invalid_certificate',
  UNABLE_TO_DECRYPT_CERT_SIGNATURE: 'ssl_invalid_certificate',
  UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY: 'ssl_invalid_certificate',
  // undici
  UND_ERR_CONNECT_TIMEOUT: 'generic_timeout_error',
  UND_ERR_HEADERS_TIMEOUT: 'generic_timeout_error',
  UND_ERR_BODY_TIMEOUT: 'generic_timeout_error',
  UND_ERR_HEADERS_OVERFLOW: 'http_too_large',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'http_too_large',
  HPE_HEADER_OVERFLOW: 'http_too_large',
  UND_ERR_SOCKET: 'eof_error',
  UND_ERR_CLOSED: 'eof_error',
  UND_ERR_DESTROYED: 'eof_error',
  UND_ERR_ABORTED: 'interrupted',
  HPE_INVALID_EOF_STATE: 'eof_error',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'eof_error',
}

/** undici was called wrongly. */
const misused = /^UND_ERR_(INVALID_ARG|INVALID_RETURN_VALUE|NOT_SUPPORTED|REQ_CONTENT_LENGTH_MISMATCH)$/

/** OpenSSL says this of a peer that closed in the middle of a handshake. */
const closedInHandshake = /^ERR_SSL_(UNEXPECTED_EOF_WHILE_READING|ZERO_RETURN)$/

/**
 * The failure an error stands for. The only place that reads error codes. An errno without a name stays as
 * `unknown_failure ECODE`: never its message, which may hold an address.
 * @returns null where the error is none of the network's: a bug, to be thrown on.
 */
export const classify = (error: unknown): string | null => {
  if (error instanceof Failed) return error.failure
  const code = codeOf(error)
  // undici gives its parser's errors no code of late.
  if (code === undefined && error instanceof Error && error.name === 'HTTPParserError') return 'http_request_failed'
  if (code === undefined) return null
  if (code === 'UND_ERR_SOCKET' && error instanceof Error && error.cause) return classify(error.cause) ?? 'eof_error'
  // Node says ECONNRESET of a peer that closed in the middle of a TLS handshake; only a true reset has an errno.
  if (code === 'ECONNRESET' && (error as { errno?: unknown }).errno === undefined) return 'eof_error'
  if (misused.test(code)) return null
  const known = byCode[code]
  if (known) return known
  if (closedInHandshake.test(code)) return 'eof_error'
  if (/^(ERR_SSL_|ERR_OSSL_|EPROTO$)/.test(code)) return 'ssl_failed_handshake'
  if (/^(HPE_|UND_ERR_)/.test(code)) return 'http_request_failed'
  if (/^ERR_/.test(code)) return null
  return /^E[A-Z0-9_]{1,30}$/.test(code) ? `unknown_failure ${code}` : 'unknown_failure'
}

const codeOf = (error: unknown): string | undefined => {
  if (!(error instanceof Error)) return undefined
  // `AggregateError` of a connection holds one error per address tried; probes try one.
  const inner = error instanceof AggregateError ? error.errors[0] : error
  const code: unknown = (inner as { code?: unknown }).code
  return typeof code === 'string' ? code : undefined
}
