"""Methods that add one neuron a round: Frank and Wolfe's, and the fully corrective one."""
