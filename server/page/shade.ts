import type uPlot from 'uplot'
import { looks } from '../../measurement/look.ts'
import type { Verdict } from '../../measurement/verdict.ts'

/** A stretch (or, where `line`, an instant) of a policy event to draw behind the measurements; Unix seconds. */
export type Shade = {
  from: number
  to: number
  line: boolean
  /** Known to the month or year only, or approximately. */
  pale: boolean
  /** From here on the end lies somewhere: hatched. */
  hatchedFrom: number | null
  /** Pointed out by the reader. */
  chosen: boolean
}

/** A stretch in which a degradation was found on the network of a lane; Unix seconds. */
export type Found = { from: number; to: number; verdict: Verdict }

/** Draws degradations behind the plot, pale in the colour of their verdict: what was found, beside what was measured. */
export function tint(plot: uPlot, found: readonly Found[], dark: boolean): void {
  const { ctx, bbox } = plot
  ctx.save()
  ctx.beginPath()
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
  ctx.clip()
  ctx.globalAlpha = dark ? 0.24 : 0.18
  for (const { from, to, verdict } of found) {
    const left = plot.valToPos(from, 'x', true)
    const width = Math.max(plot.valToPos(to, 'x', true) - left, devicePixelRatio)
    ctx.fillStyle = looks[verdict][dark ? 'dark' : 'light']
    ctx.fillRect(left, bbox.top, width, bbox.height)
  }
  ctx.restore()
}

/** Draws events behind the plot: spans as light bands, vague ones paler, uncertain ends hatched, instants as dashed lines. */
export function shade(plot: uPlot, shades: readonly Shade[], dark: boolean): void {
  const { ctx, bbox } = plot
  const colour = getComputedStyle(plot.root).getPropertyValue('--event').trim()
  ctx.save()
  ctx.beginPath()
  ctx.rect(bbox.left, 0, bbox.width, bbox.top + bbox.height)
  ctx.clip()
  ctx.fillStyle = colour
  ctx.strokeStyle = colour
  const bottom = bbox.top + bbox.height
  for (const { from, to, line, pale, hatchedFrom, chosen } of shades) {
    const left = plot.valToPos(from, 'x', true)
    const right = plot.valToPos(to, 'x', true)
    const strength = (pale ? 0.07 : 0.16) + (chosen ? 0.12 : 0) + (dark ? 0.06 : 0)
    if (line) {
      dashedLine(ctx, left, bottom, chosen)
      continue
    }
    const solid = hatchedFrom === null ? right : plot.valToPos(hatchedFrom, 'x', true)
    ctx.globalAlpha = strength
    ctx.fillRect(left, 0, Math.max(solid - left, devicePixelRatio), bottom)
    if (hatchedFrom !== null) hatch(ctx, Math.max(solid, left), right, bottom, strength)
  }
  ctx.restore()
}

function dashedLine(ctx: CanvasRenderingContext2D, x: number, bottom: number, chosen: boolean): void {
  ctx.globalAlpha = chosen ? 1 : 0.7
  ctx.lineWidth = (chosen ? 2 : 1) * devicePixelRatio
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio])
  ctx.beginPath()
  ctx.moveTo(x, 0)
  ctx.lineTo(x, bottom)
  ctx.stroke()
  ctx.setLineDash([])
}

function hatch(ctx: CanvasRenderingContext2D, left: number, right: number, bottom: number, strength: number): void {
  ctx.save()
  ctx.beginPath()
  ctx.rect(left, 0, right - left, bottom)
  ctx.clip()
  ctx.globalAlpha = strength * 2
  ctx.lineWidth = devicePixelRatio
  const gap = 7 * devicePixelRatio
  ctx.beginPath()
  for (let x = left - bottom; x < right; x += gap) {
    ctx.moveTo(x, bottom)
    ctx.lineTo(x + bottom, 0)
  }
  ctx.stroke()
  ctx.restore()
}
