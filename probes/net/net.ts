/** Placeholder of the traced network's face; replaced by the first probe. */
export type Net = object
