"""What a data set looks like to a person: quality, workspace coverage, gallery and videos."""
