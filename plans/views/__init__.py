"""The pages of the top floor: the chart, the plan and its signed versions."""
