package main

import (
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// drawGrowth draws how time and memory grow with a team, both axes logarithmic, into an
// SVG file.
func drawGrowth(path string, sizes []int, figures []figure) (err error) {
	times := make(plotter.XYs, len(sizes))
	memory := make(plotter.XYs, len(sizes))
	for i, users := range sizes {
		times[i] = plotter.XY{X: float64(users), Y: figures[i].Median.Seconds()}
		memory[i] = plotter.XY{X: float64(users), Y: float64(figures[i].Memory) / 1e6}
	}
	timePlot, err := logarithmic("seconds", times)
	if err != nil {
		return err
	}
	memoryPlot, err := logarithmic("megabytes", memory)
	if err != nil {
		return err
	}
	const width, height = 16 * vg.Centimeter, 7 * vg.Centimeter
	canvas := vgsvg.New(width, height)
	tiles := draw.Tiles{Rows: 1, Cols: 2, PadX: vg.Centimeter}
	for column, p := range []*plot.Plot{timePlot, memoryPlot} {
		p.Draw(tiles.At(draw.New(canvas), column, 0))
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(file); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

func logarithmic(unit string, points plotter.XYs) (*plot.Plot, error) {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "users", unit
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	// Whole decades, so that the two pictures can be compared by their slopes.
	p.Y.Min, p.Y.Max = 0.01, 100
	line, marks, err := plotter.NewLinePoints(points)
	if err != nil {
		return nil, err
	}
	p.Add(plotter.NewGrid(), line, marks)
	return p, nil
}
