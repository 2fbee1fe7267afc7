/** A chart as one picture that stands alone: what it says, what is shaded, whose data it is and where it came from. */
export type Caption = {
  title: string
  notes: readonly string[]
  footer: readonly string[]
  /** Said in a band across the picture where anything in it is simulated. */
  warning: string | null
  rightToLeft: boolean
}

const EDGE = 24
const LINE = 1.45

type Style = { size: number; weight: number; colour: string }

/** A part of the picture: how high it is and how it is drawn from `y` down. */
type Block = { height: number; draw: (ctx: CanvasRenderingContext2D, y: number) => void }

/** Breaks a text into lines no wider than `width`; a word longer than a line stands alone. */
export function wrapped(text: string, width: number, widthOf: (text: string) => number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    const longer = line ? `${line} ${word}` : word
    if (line && widthOf(longer) > width) {
      lines.push(line)
      line = word
    } else line = longer
  }
  return line ? [...lines, line] : lines
}

const themeColour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
const fontOf = ({ weight, size }: Style) =>
  `${weight} ${size}px ${getComputedStyle(document.documentElement).fontFamily}`

/** A paragraph, wrapped to the width, from the side where its language begins. */
function paragraph(ctx: CanvasRenderingContext2D, text: string, style: Style, width: number): Block {
  ctx.font = fontOf(style)
  const lines = wrapped(text, width, line => ctx.measureText(line).width)
  return {
    height: lines.length * style.size * LINE,
    draw: (pen, y) => {
      pen.font = fontOf(style)
      pen.fillStyle = style.colour
      const start = pen.direction === 'rtl' ? width + EDGE : EDGE
      for (const [index, line] of lines.entries()) pen.fillText(line, start, y + index * style.size * LINE)
    },
  }
}

const space = (height: number): Block => ({ height, draw: () => {} })

const plotBlock = (plot: HTMLCanvasElement): Block => ({
  height: plot.clientHeight,
  draw: (pen, y) => pen.drawImage(plot, EDGE, y, plot.clientWidth, plot.clientHeight),
})

function band(ctx: CanvasRenderingContext2D, text: string, width: number): Block[] {
  const words = paragraph(ctx, text, { size: 16, weight: 700, colour: themeColour('--warn-ink') }, width)
  return [
    {
      height: words.height + 16,
      draw: (pen, y) => {
        pen.fillStyle = themeColour('--warn')
        pen.fillRect(0, y, width + 2 * EDGE, words.height + 16)
        words.draw(pen, y + 8)
      },
    },
  ]
}

function blocksOf(ctx: CanvasRenderingContext2D, lanes: Element, caption: Caption, width: number): Block[] {
  const ink = themeColour('--ink')
  const title = { size: 22, weight: 700, colour: ink }
  const name = { size: 14, weight: 600, colour: ink }
  const small = { size: 13, weight: 400, colour: themeColour('--quiet') }
  const write = (text: string, style: Style) => paragraph(ctx, text, style, width)
  return [
    ...(caption.warning === null ? [] : band(ctx, caption.warning, width)),
    space(EDGE),
    write(caption.title, title),
    ...caption.notes.map(note => write(note, small)),
    space(EDGE / 2),
    ...[...lanes.querySelectorAll('.lane')].flatMap(lane => [
      write(lane.querySelector('figcaption')?.textContent ?? '', name),
      ...[...lane.querySelectorAll('canvas')].map(plotBlock),
      space(8),
    ]),
    space(EDGE / 2),
    ...caption.footer.map(line => write(line, small)),
    space(EDGE),
  ]
}

/** Draws the lanes of a chart under their caption; pixels are those of the screen. */
export function drawPicture(lanes: Element, caption: Caption): HTMLCanvasElement {
  const plot = lanes.querySelector('canvas')
  const scale = plot ? plot.width / plot.clientWidth : devicePixelRatio
  const width = plot?.clientWidth ?? 600
  const canvas = document.createElement('canvas')
  const ctx = canvas.getContext('2d')!
  const blocks = blocksOf(ctx, lanes, caption, width)
  canvas.width = (width + 2 * EDGE) * scale
  canvas.height = blocks.reduce((sum, block) => sum + block.height, 0) * scale
  ctx.scale(scale, scale)
  ctx.fillStyle = themeColour('--paper')
  ctx.fillRect(0, 0, canvas.width, canvas.height)
  ctx.direction = caption.rightToLeft ? 'rtl' : 'ltr'
  ctx.textAlign = 'start'
  ctx.textBaseline = 'top'
  let y = 0
  for (const block of blocks) {
    block.draw(ctx, y)
    y += block.height
  }
  return canvas
}

/** Hands the picture to the reader as a PNG file. */
export function savePicture(canvas: HTMLCanvasElement, name: string): void {
  canvas.toBlob(blob => {
    if (blob === null) return
    const anchor = document.createElement('a')
    anchor.href = URL.createObjectURL(blob)
    anchor.download = name
    anchor.click()
    URL.revokeObjectURL(anchor.href)
  })
}
