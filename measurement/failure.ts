import { Type } from 'typebox'

/** Who or what is to blame for a failure, as far as the failure alone can say. */
export type Blame = 'network' | 'target' | 'resolver' | 'agent'

/** A failure: who is to blame, and one sentence for people. */
export type Failure = { blame: Blame; sentence: string }

const network = (sentence: string): Failure => ({ blame: 'network', sentence })
const target = (sentence: string): Failure => ({ blame: 'target', sentence })
const resolver = (sentence: string): Failure => ({ blame: 'resolver', sentence })
const agent = (sentence: string): Failure => ({ blame: 'agent', sentence })

/**
 * Every failure Peyk can record. Names without a prefix of ours are OONI's (df-007), kept to the letter so that rows of
 * both compare; ours carry the protocol's name in front. Errors become names in one place, `probes/net/classify.ts`.
 */
export const failures = {
  dns_nxdomain_error: resolver('The resolver says that the name does not exist.'),
  dns_servfail_error: resolver('The resolver could not find the answer.'),
  dns_refused_error: resolver('The resolver refused to answer.'),
  dns_no_answer: resolver('The resolver answered without an address.'),
  dns_bogon_error: resolver('The name resolved to an address that cannot be public.'),
  dns_reply_with_wrong_query_id: network('An answer came with the id of another query.'),
  dns_server_misbehaving: resolver('The resolver sent an answer that is not well formed.'),
  dns_temporary_failure: resolver('The system resolver failed for now.'),
  dns_non_recoverable_failure: resolver('The system resolver failed.'),
  dns_injected: network('More than one answer came to a single query: one of them is forged.'),
  dns_inconsistent: resolver('The resolver gave another answer than resolvers the network does not run.'),
  android_dns_cache_no_data: resolver('The system resolver gave no data.'),
  connection_refused: network('The connection was refused.'),
  connection_reset: network('The connection was reset.'),
  connection_aborted: network('The connection was aborted.'),
  connection_already_closed: agent('The connection had already been closed here.'),
  host_unreachable: network('The network says that the host cannot be reached.'),
  network_unreachable: agent('This machine has no route to the address.'),
  network_down: agent('The network interface of this machine is down.'),
  network_reset: network('The network dropped the connection.'),
  generic_timeout_error: network('No answer came in time.'),
  eof_error: network('The connection was closed before the answer was complete.'),
  ssl_unknown_authority: network('The certificate was issued by an authority that is not trusted here.'),
  ssl_invalid_hostname: network('The certificate is for another name.'),
  ssl_invalid_certificate: network('The certificate is not valid.'),
  ssl_failed_handshake: network('The TLS handshake failed.'),
  quic_incompatible_version: target('The server speaks no QUIC version of ours.'),
  http_request_failed: network('The HTTP exchange failed.'),
  http_unexpected_status_code: target('The HTTP status is none that the app gives.'),
  http_unexpected_redirect_url: network('The answer redirects to an address that is not the app’s.'),
  http_invalid_redirect_location_host: network('The answer redirects to a host that is not valid.'),
  http_blockpage: network('The answer is a known block page.'),
  http_answer_unexpected: target('The HTTP answer is not the one that the app gives.'),
  http_too_large: target('The answer is larger than this probe reads.'),
  json_parse_error: target('The answer is not the JSON it should be.'),
  interrupted: agent('The measurement was stopped before it ended.'),
  address_family_missing: agent('This machine has no address of this family.'),
  address_not_allowed: agent('The address is outside what the catalogue allows for this target.'),
  permission_denied: agent('This machine did not permit the operation.'),
  agent_out_of_resources: agent('This machine ran out of sockets, ports or memory.'),
  network_changed: agent('The network of this machine changed during the measurement.'),
  proxy_failed: agent('The proxy in use did not carry the connection.'),
  mtproto_bad_nonce: network('An MTProto answer came that does not belong to our question.'),
  mtproto_malformed: network('Bytes came back that are not MTProto.'),
  mtproto_unknown_fingerprint: network('The MTProto answer offers none of the keys that the app has.'),
  mtproto_forged: network('The key exchange shows that the answer was not made with the app’s key.'),
  mtproto_exchange_refused: target('The data centre answered, and refused to begin a key exchange.'),
  websocket_malformed: network('Bytes came back that are not WebSocket.'),
  websocket_answer_unexpected: target('The WebSocket opened, but what came over it is not the app’s answer.'),
  quic_malformed: network('A datagram came back that is not QUIC, or not an answer to ours.'),
  stun_malformed: network('A datagram came back that is not STUN, or not an answer to ours.'),
  stun_refused: target('The STUN server answered with an error.'),
  noise_malformed: network('Bytes came back that are not the app’s handshake.'),
  noise_decrypt_failed: network('The handshake’s answer was not made with our key.'),
  noise_cert_invalid: network('The certificate in the handshake is not the app’s.'),
  xmpp_malformed: network('Bytes came back that are not XMPP.'),
  xmpp_stream_error: target('The XMPP server answered with an error.'),
  mqtt_malformed: network('Bytes came back that are not MQTT.'),
  threema_malformed: network('The answer is not as long as Threema’s is.'),
  threema_unknown_key: network('The answer was not made with a key of Threema’s.'),
  threema_bad_cookie: network('A Threema answer came that does not belong to our question.'),
  loco_malformed: network('Bytes came back that are not KakaoTalk’s protocol.'),
  loco_refused: target('The KakaoTalk server answered with an error, or without its servers.'),
  store_not_listed: target('The store does not list the app in this storefront.'),
  store_no_storefront: target('The store has no storefront of this name.'),
  transfer_range_refused: target('The server did not give the range that was asked for.'),
  transfer_object_changed: target('The object is not of the size that was asked for.'),
  transfer_compressed: target('The answer was compressed, so that its bytes say nothing of the line.'),
  transfer_cached: target('A cache on the way answered, so that its bytes say nothing of the line.'),
  transfer_too_fast: target('The bytes came faster than the line allows: they did not come from where the address is.'),
  helper_wrong_bytes: target('The helper sent other bytes than those it was asked for.'),
  helper_refused: target('The helper refused: its quota for this address is used up.'),
  unknown_failure: agent('An error came that Peyk has no name for.'),
} as const satisfies Record<string, Failure>

export type KnownFailure = keyof typeof failures

/** A failure's name; an error without a name keeps its errno, which is the only thing of it that can carry no address. */
export const FailureName = Type.String({
  pattern: `^(${Object.keys(failures).join('|')}|unknown_failure E[A-Z0-9_]{1,30})$`,
  description: 'A failure of docs/failures.md.',
})

const knownFailures = new Map<string, Failure>(Object.entries(failures))

/** What is known of a failure; names carrying an errno, and names of newer agents, count as `unknown_failure`. */
export const failure = (name: string): Failure => knownFailures.get(name) ?? failures.unknown_failure

export const isKnownFailure = (name: string): name is KnownFailure => knownFailures.has(name)
