import { Type } from 'typebox'
import { type Agent, type Agents, INVITE_SECONDS } from '../agents.ts'
import type { App } from '../app.ts'
import { PublicKey } from '../identity.ts'
import { outliersNow } from '../outliers.ts'
import type { OperatorKey } from '../sealing.ts'
import type { Store } from '../store/store.ts'

const Role = Type.Enum(['vantage', 'control', 'operator'])
const Standing = Type.Enum(['admitted', 'quarantined', 'revoked'])

const Invite = Type.Object(
  {
    role: Type.Optional(Role),
    lifetime: Type.Optional(Type.Integer({ minimum: 60, maximum: 366 * 86_400, description: 'Seconds.' })),
  },
  { additionalProperties: false },
)
const Invited = Type.Object({
  code: Type.String(),
  expires: Type.Integer({ description: 'Unix seconds.' }),
  role: Role,
  servers: Type.Array(Type.String(), { description: 'Addresses of this server for agents, best first.' }),
  operator: PublicKey,
})

const Thumbprint = Type.Object({ thumbprint: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }) })
const Change = Type.Object(
  { role: Type.Optional(Role), standing: Type.Optional(Standing) },
  { additionalProperties: false, minProperties: 1 },
)
const Known = Type.Object({ thumbprint: Type.String(), role: Role, standing: Standing })
const Listed = Type.Object({
  ...Known.properties,
  entry: Type.Enum(['invited', 'open', 'granted']),
  enrolled: Type.Number({ description: 'Unix seconds.' }),
  counts: Type.Boolean({ description: 'Whether its rows count in verdicts.' }),
})

const Outliers = Type.Object({
  outliers: Type.Array(
    Type.Object({
      agent: Type.String({ description: 'Pseudonym on this network.' }),
      asn: Type.Integer(),
      share: Type.Number({ description: 'Share of its tries that failed.' }),
      others: Type.Number({ description: 'Median of that share over the others of the network.' }),
      reason: Type.String(),
    }),
  ),
})

type AdminParts = {
  agents: Agents
  store: Store
  now: () => number
  addresses: () => readonly string[]
  operatorKey: OperatorKey
}

/** What only the operator may do; commands on this machine do it over loopback with the token in PEYK_DATA. */
export const adminRoutes = (app: App, { agents, store, now, addresses, operatorKey }: AdminParts): void => {
  app.get(
    '/v1/admin/outliers',
    {
      config: { right: 'admin' },
      schema: {
        summary: 'Agents to look at, and why: quarantine is the operator’s choice',
        response: { 200: Outliers },
      },
    },
    async () => ({ outliers: await outliersNow(store, now()) }),
  )
  app.post(
    '/v1/admin/invites',
    {
      config: { right: 'admin' },
      schema: { summary: 'Make a one-time code for an agent', body: Invite, response: { 201: Invited } },
    },
    async (request, reply) => {
      const { role = 'vantage', lifetime = INVITE_SECONDS } = request.body
      void reply.status(201)
      return { ...(await agents.invite(role, lifetime)), role, servers: [...addresses()], operator: operatorKey }
    },
  )
  app.get(
    '/v1/admin/agents',
    {
      config: { right: 'admin' },
      schema: { summary: 'Every agent known here', response: { 200: Type.Object({ agents: Type.Array(Listed) }) } },
    },
    async () => ({
      agents: [...agents.all()].map(([thumbprint, agent]) => ({
        ...{ thumbprint, ...agent },
        counts: agent.standing !== 'revoked' && !agents.quarantined(agent),
      })),
    }),
  )
  app.put(
    '/v1/admin/agents/:thumbprint',
    {
      config: { right: 'admin' },
      schema: { summary: 'Vouch for an agent’s key, known or not', params: Thumbprint, response: { 200: Known } },
    },
    async request => {
      const { thumbprint } = request.params
      const { role, standing } = await agents.approve(thumbprint)
      return { thumbprint, role, standing }
    },
  )
  app.patch(
    '/v1/admin/agents/:thumbprint',
    {
      config: { right: 'admin' },
      schema: {
        summary: 'Change the role or standing of an agent',
        params: Thumbprint,
        body: Change,
        response: { 200: Known },
      },
    },
    async request => {
      const { thumbprint } = request.params
      const changed: Agent = await agents.change(thumbprint, request.body)
      return { thumbprint, role: changed.role, standing: changed.standing }
    },
  )
}
