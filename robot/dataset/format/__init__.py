"""LeRobotDataset v3.0 on disk: schema, columns, tables, statistics, and files that appear whole or not at all."""
