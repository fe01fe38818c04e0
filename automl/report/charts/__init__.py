"""All drawing of the report: plotly figures and SVG pictures."""
