"""The kinds of networks: one file for each, with the network and the model that trains it.

Nothing is imported here, so that the names of the registry can be read in no time.
"""
