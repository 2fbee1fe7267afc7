import { BlockList, isIP } from 'node:net'
import { isPublicAddress } from '../../measurement/address.ts'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')

const isLoopback = (address: string): boolean =>
  address === '::1' || (isIP(address) === 4 && loopback.check(address, 'ipv4'))

/** Which addresses a target may connect to (`Target.address`). */
export type AddressRule = 'public' | 'loopback'

/** Whether the rule allows an address. Names, shortened and scoped forms are no addresses here. */
export const mayConnect = (address: string, rule: AddressRule): boolean =>
  rule === 'loopback' ? isLoopback(address) : isIP(address) !== 0 && isPublicAddress(address)
