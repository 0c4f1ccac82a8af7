"""Every operation of Mistral's API: what it takes and answers, searched by what a user wants to do, validated before it is sent."""
