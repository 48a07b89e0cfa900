# fish completion for nsnet: nsnet itself says what fits.

complete --keep-order --exclusive --command nsnet --arguments "(COMPLETE=fish nsnet -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
