/ comment
